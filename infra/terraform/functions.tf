locals {
  built = jsondecode(file("${var.lambdas}/lambdas.json"))

  environment = {
    TAKINGS_STORE              = "s3://${var.bucket}"
    TAKINGS_TABLE_PREFIX       = var.table_prefix
    PIPELINE_STATE_MACHINE_ARN = local.state_machine
    PIPELINE_SCHEDULE_GROUP    = local.schedules
    PIPELINE_SCHEDULE_ROLE_ARN = aws_iam_role.this["takings-scheduler"].arn
    PIPELINE_DETECTOR_ARN      = local.detector_arn
    PIPELINE_DEAD_LETTERS_URL  = aws_sqs_queue.dead_letters.url
  }

  # By name: the functions know the state machine, which calls the functions.
  arn           = "arn:${data.aws_partition.this.partition}:%s:${var.region}:${data.aws_caller_identity.this.account_id}:%s"
  state_machine = format(local.arn, "states", "stateMachine:${local.prefix}ecommerce-pipeline")
  detector_arn  = format(local.arn, "lambda", "function:${local.detector}:live")
}

resource "aws_cloudwatch_log_group" "functions" {
  for_each = toset([local.detector, local.archiver])

  name              = "/aws/lambda/${each.key}"
  retention_in_days = 90
}

# Looks at the store, and starts what is to be started.
resource "aws_lambda_function" "detector" {
  function_name    = local.detector
  role             = aws_iam_role.this["takings-file-detector"].arn
  filename         = "${var.lambdas}/file-detector.zip"
  source_code_hash = filebase64sha256("${var.lambdas}/file-detector.zip")
  handler          = "handler.handle"
  runtime          = local.built.runtime
  architectures    = [local.built.architecture]
  timeout          = 120
  memory_size      = 1024
  publish          = true

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  environment {
    # An empty variable cannot be set.
    variables = { for name, value in merge(local.environment, { POWERTOOLS_SERVICE_NAME = "file-detector" }) : name => value if value != "" }
  }

  # An event that fails three times is kept there.
  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }

  # `takings aws deploy functions` owns the code.
  lifecycle {
    ignore_changes = [filename, source_code_hash]
  }

  depends_on = [aws_iam_role_policy.this, aws_cloudwatch_log_group.functions]
}

# Sizes the tasks, decides after a failed one, files originals away.
resource "aws_lambda_function" "archiver" {
  function_name    = local.archiver
  role             = aws_iam_role.this["takings-file-archiver"].arn
  filename         = "${var.lambdas}/file-archiver.zip"
  source_code_hash = filebase64sha256("${var.lambdas}/file-archiver.zip")
  handler          = "handler.handle"
  runtime          = local.built.runtime
  architectures    = [local.built.architecture]
  timeout          = 900
  memory_size      = 1024
  publish          = true

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  environment {
    variables = { for name, value in merge(local.environment, { POWERTOOLS_SERVICE_NAME = "file-archiver" }) : name => value if value != "" }
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }

  # `takings aws deploy functions` owns the code.
  lifecycle {
    ignore_changes = [filename, source_code_hash]
  }

  depends_on = [aws_iam_role_policy.this, aws_cloudwatch_log_group.functions]
}
