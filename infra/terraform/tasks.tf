resource "aws_ecs_cluster" "this" {
  name = "${local.prefix}takings"
}

# Tags may be pushed again, as the walk-through does with `latest`.
resource "aws_ecr_repository" "service" {
  for_each = toset(local.services)

  name                 = "${local.prefix}${each.key}"
  image_tag_mutability = "MUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "service" {
  for_each = aws_ecr_repository.service

  repository = each.value.name
  policy     = file("${path.module}/documents/images.json")
}

resource "aws_cloudwatch_log_group" "tasks" {
  for_each = toset(local.services)

  name              = "/ecs/${local.prefix}${each.key}"
  retention_in_days = 90
}

# The state machine says how large each task is.
resource "aws_ecs_task_definition" "service" {
  for_each = toset(local.services)

  family                   = "${local.prefix}${each.key}"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = 1024
  memory                   = 4096
  execution_role_arn       = aws_iam_role.this["takings-task-execution"].arn
  task_role_arn            = aws_iam_role.this["takings-task"].arn
  container_definitions    = templatefile("${path.module}/documents/tasks/${each.key}.json", local.values)

  runtime_platform {
    cpu_architecture        = "X86_64"
    operating_system_family = "LINUX"
  }

  # Only /tmp is written to: on the task's own disk, which the root file system is not.
  volume {
    name = "tmp"
  }
}
