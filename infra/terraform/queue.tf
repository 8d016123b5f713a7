# Refused files, and events that nobody could handle.
resource "aws_sqs_queue" "dead_letters" {
  name = "${local.prefix}takings-dead-letters"
  # As long as SQS keeps anything: somebody may be on holiday.
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
}
