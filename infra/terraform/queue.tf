# Refused files, and events that nobody could handle.
resource "aws_sqs_queue" "dead_letters" {
  name = "${local.prefix}takings-dead-letters"
  # As long as SQS keeps anything: somebody may be on holiday.
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
}

# The bucket's events wait here: a storm of drops starts few looks.
resource "aws_sqs_queue" "events" {
  name                      = "${local.prefix}takings-events"
  message_retention_seconds = 24 * 3600
  # Lambda's advice: six times the detector's timeout, and the window.
  visibility_timeout_seconds = 6 * 120 + var.event_window_seconds
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 10
  })
}

# Only S3, and only for this bucket.
resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.url
  policy    = templatefile("${path.module}/documents/events-policy.json", local.values)
}

# The detector takes events out of their queue, many for one look.
resource "aws_lambda_event_source_mapping" "events" {
  event_source_arn                   = aws_sqs_queue.events.arn
  function_name                      = aws_lambda_alias.live[local.detector].arn
  batch_size                         = 10000
  maximum_batching_window_in_seconds = var.event_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    # The least that Lambda offers: a new account has ten calls at a time, which the archiver needs as well.
    maximum_concurrency = 2
  }

  depends_on = [aws_iam_role_policy.this]
}
