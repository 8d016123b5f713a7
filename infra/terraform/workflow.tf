locals {
  revisions = { for name, task in aws_ecs_task_definition.service : name => "${task.family}:${task.revision}" }
}

# It names the revision of each task definition, so that an execution ends with the images that it began with.
resource "aws_sfn_state_machine" "pipeline" {
  name     = "${local.prefix}ecommerce-pipeline"
  type     = "STANDARD"
  role_arn = aws_iam_role.this["takings-state-machine"].arn
  definition = templatefile(
    local.has_spark ? "${path.module}/documents/spark/ecommerce-pipeline.asl.json" : "${path.module}/documents/ecommerce-pipeline.asl.json",
    merge(local.spark_values, {
      validation_service     = local.revisions["validation-service"]
      transformation_service = local.revisions["transformation-service"]
  }))

  # `takings aws deploy state-machine` owns it: it names the revisions that run.
  lifecycle {
    ignore_changes = [definition]
  }

  logging_configuration {
    level                  = var.execution_logs
    include_execution_data = false
    log_destination        = var.execution_logs == "OFF" ? null : "${aws_cloudwatch_log_group.executions.arn}:*"
  }

  tracing_configuration {
    enabled = var.tracing
  }

  depends_on = [aws_iam_role_policy.this, aws_lambda_alias.live]
}

# The detector keeps the schedule `deadline` in it.
resource "aws_scheduler_schedule_group" "this" {
  name = local.schedules
}

# A safety net: it finds what no event announced.
resource "aws_scheduler_schedule" "sweep" {
  name                = "sweep"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = var.sweep_minutes == 1 ? "rate(1 minute)" : "rate(${var.sweep_minutes} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live[local.detector].arn
    role_arn = aws_iam_role.this["takings-scheduler"].arn
    input    = jsonencode({ source = "takings.sweep" })
  }

  depends_on = [aws_iam_role_policy.this]
}

# Compacts the lake's small files, and removes what nothing needs; beside batches, as `takings maintain` does.
resource "aws_scheduler_schedule" "maintain" {
  name                = "maintain"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = "rate(1 day)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.this["takings-scheduler"].arn

    ecs_parameters {
      # Without a revision: the newest.
      task_definition_arn = aws_ecs_task_definition.service["maintenance"].arn_without_revision
      launch_type         = "FARGATE"
      task_count          = 1
      propagate_tags      = "TASK_DEFINITION"

      network_configuration {
        subnets          = local.subnets
        security_groups  = [local.security_group]
        assign_public_ip = local.public_ip == "ENABLED"
      }
    }
  }

  depends_on = [aws_iam_role_policy.this]
}
