# A key of its own: CloudWatch may not use the one that SNS has.
resource "aws_kms_key" "alarms" {
  description             = "Takings: alarms of the store s3://${var.bucket}"
  policy                  = templatefile("${path.module}/documents/alarms-key.json", local.values)
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

resource "aws_kms_alias" "alarms" {
  name          = "alias/${local.alarms}"
  target_key_id = aws_kms_key.alarms.key_id
}

resource "aws_sns_topic" "alarms" {
  name              = local.alarms
  kms_master_key_id = aws_kms_alias.alarms.name
}

# Nothing is sent before the address has confirmed it.
resource "aws_sns_topic_subscription" "notify" {
  count = var.notify == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.notify
}

locals {
  # What rings, when, and which page says what to do.
  alarm_definitions = {
    for alarm in jsondecode(templatefile("${path.module}/documents/alarms.json", local.values)) : alarm.AlarmName => alarm
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarm_definitions

  alarm_name          = each.key
  alarm_description   = each.value.AlarmDescription
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  namespace           = each.value.Namespace
  metric_name         = each.value.MetricName
  dimensions          = { for each in each.value.Dimensions : each.Name => each.Value }
  statistic           = each.value.Statistic
  period              = each.value.Period
  evaluation_periods  = each.value.EvaluationPeriods
  threshold           = each.value.Threshold
  comparison_operator = each.value.ComparisonOperator
  treat_missing_data  = each.value.TreatMissingData
}
