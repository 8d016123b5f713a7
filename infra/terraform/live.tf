# Everything calls the live version of each function; `takings aws deploy rollback` leads back to the one before.
resource "aws_lambda_alias" "live" {
  for_each = { for function in [aws_lambda_function.detector, aws_lambda_function.archiver] : function.function_name => function.version }

  name             = "live"
  function_name    = each.key
  function_version = each.value

  # A deployment moves it ahead, and a rollback back.
  lifecycle {
    ignore_changes = [function_version, description]
  }
}

# What went wrong in an execution; never its data.
resource "aws_cloudwatch_log_group" "executions" {
  name              = "/aws/vendedlogs/states/${local.prefix}ecommerce-pipeline"
  retention_in_days = 90
}
