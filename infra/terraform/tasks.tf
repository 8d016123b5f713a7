resource "aws_ecs_cluster" "this" {
  name = "${local.prefix}takings"
}

# A tag names the same bytes for good: each version is pushed with a tag of its own, such as its commit.
resource "aws_ecr_repository" "service" {
  for_each = toset(local.services)

  name                 = "${local.prefix}${each.key}"
  image_tag_mutability = "IMMUTABLE"

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
  for_each = toset(local.tasks_named)

  name              = "/ecs/${local.prefix}${each.key}"
  retention_in_days = 90
}

locals {
  # What each service's tasks are, but for their size, which the state machine says.
  tasks = {
    for service in local.tasks_named :
    service => jsondecode(templatefile("${path.module}/documents/tasks/${service}.json", local.values))
  }
}

resource "aws_ecs_task_definition" "service" {
  for_each = local.tasks

  family                   = each.value.family
  network_mode             = each.value.networkMode
  requires_compatibilities = each.value.requiresCompatibilities
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = each.value.executionRoleArn
  task_role_arn            = each.value.taskRoleArn

  # ECS may drop a variable without a value, such as no prefix; then each plan would differ.
  container_definitions = jsonencode([
    for container in each.value.containerDefinitions : merge(container, {
      environment = [for variable in container.environment : variable if variable.value != ""]
    })
  ])

  runtime_platform {
    cpu_architecture        = each.value.runtimePlatform.cpuArchitecture
    operating_system_family = each.value.runtimePlatform.operatingSystemFamily
  }

  dynamic "ephemeral_storage" {
    for_each = can(each.value.ephemeralStorage) ? [each.value.ephemeralStorage] : []
    content {
      size_in_gib = ephemeral_storage.value.sizeInGiB
    }
  }

  dynamic "volume" {
    for_each = each.value.volumes
    content {
      name = volume.value.name
    }
  }

  # `takings aws deploy tasks` owns images and environment: it registers further revisions.
  lifecycle {
    ignore_changes = [container_definitions]
  }

  depends_on = [aws_iam_role_policy.this, aws_cloudwatch_log_group.tasks]
}
