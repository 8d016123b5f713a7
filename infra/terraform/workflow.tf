resource "aws_sfn_state_machine" "pipeline" {
  name       = "${local.prefix}ecommerce-pipeline"
  type       = "STANDARD"
  role_arn   = aws_iam_role.this["takings-state-machine"].arn
  definition = templatefile("${path.module}/documents/ecommerce-pipeline.asl.json", local.values)

  depends_on = [aws_iam_role_policy.this]
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
    arn      = aws_lambda_function.detector.arn
    role_arn = aws_iam_role.this["takings-scheduler"].arn
    input    = jsonencode({ source = "takings.sweep" })
  }

  depends_on = [aws_iam_role_policy.this]
}
