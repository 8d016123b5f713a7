# With `github`, a workflow of that repository may deploy, by a role that it takes without any key.
#
# An account has one identity provider for GitHub. If yours has it already: terraform import 'aws_iam_openid_connect_provider.github[0]' ARN

locals {
  deploying = var.github == null ? null : jsondecode(templatefile("${path.module}/documents/deploy-role.json", merge(local.values, { github = var.github })))
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.github == null ? 0 : 1

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.${data.aws_partition.this.dns_suffix}"]
}

resource "aws_iam_role" "deploy" {
  count = var.github == null ? 0 : 1

  name               = "${local.prefix}takings-deploy"
  description        = "Takings: the store s3://${var.bucket}"
  assume_role_policy = jsonencode(local.deploying.trust)

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "deploy" {
  count = var.github == null ? 0 : 1

  name   = "takings"
  role   = aws_iam_role.deploy[0].name
  policy = jsonencode(local.deploying.policy)
}
