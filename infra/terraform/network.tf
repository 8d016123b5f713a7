# A task reaches ECR, S3, DynamoDB and CloudWatch Logs, either by a way out of its subnet or by endpoints of its VPC:
#
#   a public subnet    a route to an internet gateway, and a public address for each task (it has one if every subnet
#                      gives them, as those of the default VPC do); nothing reaches it, for the group lets nobody in
#   a private subnet   a route to a NAT gateway, which is paid by the hour, or endpoints of the VPC: ecr.api, ecr.dkr
#                      and logs (interfaces, paid by the hour), s3 and dynamodb (gateways, free)
#
# This makes none of them, for they are your network's. `takings aws doctor` looks whether one of them is there.

data "aws_subnets" "default" {
  count = length(var.subnets) == 0 ? 1 : 0

  filter {
    name   = "default-for-az"
    values = ["true"]
  }
}

data "aws_subnet" "task" {
  for_each = toset(length(var.subnets) == 0 ? data.aws_subnets.default[0].ids : var.subnets)

  id = each.key

  lifecycle {
    postcondition {
      condition     = self.state == "available"
      error_message = "The subnet cannot be used yet."
    }
  }
}

locals {
  subnets        = sort([for subnet in data.aws_subnet.task : subnet.id])
  public_ip      = alltrue([for subnet in data.aws_subnet.task : subnet.map_public_ip_on_launch]) ? "ENABLED" : "DISABLED"
  security_group = var.security_group == null ? aws_security_group.tasks[0].id : var.security_group
}

# Nobody reaches a task, and it reaches everything.
resource "aws_security_group" "tasks" {
  count = var.security_group == null ? 1 : 0

  name        = "${local.prefix}takings-tasks"
  description = "Takings: tasks, which nobody calls"
  vpc_id      = data.aws_subnet.task[local.subnets[0]].vpc_id

  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}
