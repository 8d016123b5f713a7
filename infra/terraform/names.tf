data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {
  lifecycle {
    postcondition {
      condition     = self.name == var.region
      error_message = "The provider is set up for ${self.name}, and `region` is ${var.region}. Name the same region in both."
    }
  }
}

locals {
  # Most services allow fewer letters than tables do.
  prefix = replace(var.table_prefix, "/[^A-Za-z0-9-]/", "-")

  detector = "${local.prefix}file-detector"
  archiver = "${local.prefix}file-archiver"
  services = ["validation-service", "transformation-service"]
  # The maintenance has no image of its own.
  tasks_named = concat(local.services, ["maintenance"])
  schedules   = "${local.prefix}takings"
  alarms      = "${local.prefix}takings-alarms"

  # What the documents beside this file leave open. They are the very ones that `takings aws bootstrap` uses:
  # `python -m tools.terraform_documents` writes them.
  values = {
    account                = data.aws_caller_identity.this.account_id
    partition              = data.aws_partition.this.partition
    dns_suffix             = data.aws_partition.this.dns_suffix
    region                 = var.region
    bucket                 = var.bucket
    table_prefix           = var.table_prefix
    prefix                 = local.prefix
    image_tag              = var.image_tag
    subnets                = jsonencode(local.subnets)
    security_groups        = jsonencode([local.security_group])
    public_ip              = local.public_ip
    oldest_pending_seconds = (var.batch_wait_minutes + 60) * 60
    look_seconds           = max(300, var.sweep_minutes * 60)
  }
}
