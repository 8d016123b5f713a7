locals {
  # One file for each role: who takes it, and what it allows.
  roles = merge({
    for file in fileset("${path.module}/documents/roles", "*.json") :
    trimsuffix(file, ".json") => jsondecode(templatefile("${path.module}/documents/roles/${file}", local.values))
    }, {
    # Those of jobs, and what the state machine may do besides.
    for file in(local.has_spark ? fileset("${path.module}/documents/spark/roles", "*.json") : []) :
    trimsuffix(file, ".json") => jsondecode(templatefile("${path.module}/documents/spark/roles/${file}", local.spark_values))
  })
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name               = "${local.prefix}${each.key}"
  description        = "Takings: the store s3://${var.bucket}"
  assume_role_policy = jsonencode(each.value.trust)
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = "takings"
  role   = aws_iam_role.this[each.key].name
  policy = jsonencode(each.value.policy)
}
