resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${local.prefix}takings"
  dashboard_body = templatefile("${path.module}/documents/dashboard.json", local.values)
}
