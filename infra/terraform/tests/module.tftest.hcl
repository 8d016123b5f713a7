# `terraform test` (1.11 or newer) plans the module without AWS: the provider is a mock, and answers what is written here.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_ecs_task_definition" {
    defaults = { revision = 1 }
  }
  mock_resource "aws_security_group" {
    defaults = { id = "sg-own" }
  }
  mock_resource "aws_emrserverless_application" {
    defaults = { id = "00fexample" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_data "aws_subnets" {
    defaults = { ids = ["subnet-b", "subnet-a"] }
  }
  mock_data "aws_subnet" {
    defaults = { id = "subnet-a", state = "available", vpc_id = "vpc-1", map_public_ip_on_launch = true }
  }
}

variables {
  region  = "eu-west-1"
  bucket  = "my-shop"
  lambdas = "tests/lambdas"
}

run "as_it_comes" {
  command = plan

  assert {
    condition     = toset(keys(aws_dynamodb_table.this)) == toset(["PendingBatches", "ProcessedFiles", "OrderKPIs", "CategoryKPIs", "OwnKPIs"])
    error_message = "The tables are those of docs/aws.md."
  }
  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.billing_mode == "PAY_PER_REQUEST" && table.point_in_time_recovery[0].enabled])
    error_message = "Every table is on demand and can be restored."
  }
  assert {
    condition     = alltrue([for repository in aws_ecr_repository.service : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push])
    error_message = "Tags are immutable, and images are scanned."
  }
  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.deletion_protection_enabled])
    error_message = "No table can be deleted by mistake."
  }
  assert {
    condition     = toset(keys(aws_lambda_alias.live)) == toset(["file-detector", "file-archiver"]) && alltrue([for alias in aws_lambda_alias.live : alias.name == "live"])
    error_message = "Everything calls the live version of each function."
  }
  assert {
    condition     = aws_sfn_state_machine.pipeline.logging_configuration[0].level == "ERROR" && !aws_sfn_state_machine.pipeline.logging_configuration[0].include_execution_data
    error_message = "What went wrong is logged, without data."
  }
  assert {
    condition     = aws_s3_bucket_versioning.store.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket keeps replaced files."
  }
  assert {
    condition     = aws_sfn_state_machine.pipeline.name == "ecommerce-pipeline" && jsondecode(aws_sfn_state_machine.pipeline.definition).States.TransformData.Parameters.TaskDefinition == "transformation-service:1"
    error_message = "The state machine has its name, and names the revision of each task definition."
  }
  assert {
    condition     = aws_scheduler_schedule.sweep.schedule_expression == "rate(5 minutes)"
    error_message = "The sweep comes every five minutes."
  }
  assert {
    condition     = aws_sqs_queue.events.visibility_timeout_seconds == 740
    error_message = "Events wait for six times the detector's timeout and the window."
  }
  assert {
    condition     = length(aws_security_group.tasks) == 1 && aws_security_group.tasks[0].vpc_id == "vpc-1"
    error_message = "Tasks get a group of their own, in the network of their subnets."
  }
  assert {
    condition     = length(aws_iam_role.deploy) == 0 && length(aws_sns_topic_subscription.notify) == 0
    error_message = "Nobody may deploy, and nobody is written to, before they are named."
  }
  assert {
    condition     = length(aws_emrserverless_application.this) == 0 && !strcontains(aws_sfn_state_machine.pipeline.definition, "emr-serverless") && length(aws_iam_role.this) == 8
    error_message = "No batch becomes a job, and nobody may start one."
  }
}

run "large_batches_become_jobs" {
  command = plan

  variables {
    spark = "tests/spark"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.pipeline.definition).States.ValidateDataOnSpark.Parameters.ApplicationId == "00fexample"
    error_message = "The state machine names the application."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.pipeline.definition).States.PlanBatch.Parameters.Payload.spark == "s3://my-shop/${trimsuffix(aws_s3_object.spark_step[0].key, "/step.py")}"
    error_message = "It names the package that lies in the bucket."
  }
  assert {
    condition     = length(aws_iam_role.this) == 10 && strcontains(aws_iam_role.this["takings-validation-on-spark"].assume_role_policy, ":/applications/00fexample")
    error_message = "Each step's jobs have a role, which only the application takes."
  }
  assert {
    condition     = strcontains(aws_iam_role_policy.this["takings-state-machine"].policy, "emr-serverless:StartJobRun")
    error_message = "The state machine may start jobs."
  }
  assert {
    condition     = aws_emrserverless_application.this[0].release_label == "emr-7.13.0" && aws_emrserverless_application.this[0].auto_stop_configuration[0].enabled
    error_message = "The application is as the package says it, and stops by itself."
  }
}

run "everything_is_named_after_the_prefix" {
  command = plan

  variables {
    table_prefix         = "north."
    sweep_minutes        = 1
    event_window_seconds = 60
    security_group       = "sg-1"
    subnets              = ["subnet-a"]
    notify               = "night@example.com"
    github               = "owner/shop"
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : startswith(table.name, "north.")])
    error_message = "Tables begin with the prefix."
  }
  assert {
    condition     = alltrue([for name in [aws_sfn_state_machine.pipeline.name, aws_ecs_cluster.this.name, aws_lambda_function.detector.function_name, aws_sqs_queue.events.name] : startswith(name, "north-")])
    error_message = "Everything else begins with it in other letters."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.this : startswith(role.name, "north-takings-")])
    error_message = "Roles as well."
  }
  assert {
    condition     = aws_scheduler_schedule.sweep.schedule_expression == "rate(1 minute)" && aws_lambda_event_source_mapping.events.maximum_batching_window_in_seconds == 60
    error_message = "Sweep and window are what was said."
  }
  assert {
    condition     = length(aws_security_group.tasks) == 0 && aws_sns_topic_subscription.notify[0].endpoint == "night@example.com"
    error_message = "The user's group is taken, and the address is written to."
  }
  assert {
    condition     = strcontains(aws_iam_role.deploy[0].assume_role_policy, "repo:owner/shop:environment:production")
    error_message = "Only that repository's environment may deploy."
  }
}

run "a_prefix_that_does_not_fit_all_is_refused" {
  command = plan
  variables {
    table_prefix = "North_"
  }
  expect_failures = [var.table_prefix]
}

run "half_minutes_are_refused" {
  command = plan
  variables {
    sweep_minutes        = 1.5
    event_window_seconds = 301
  }
  expect_failures = [var.sweep_minutes, var.event_window_seconds]
}

run "another_region_than_the_provider_s_is_refused" {
  command = plan
  variables {
    region = "us-east-1"
  }
  expect_failures = [data.aws_region.this]
}
