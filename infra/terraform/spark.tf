# Jobs on EMR Serverless, for batches that no task on Fargate can hold; only where `spark` is set.

locals {
  has_spark = var.spark != null
  # As `takings aws bootstrap` names it.
  spark_package = local.has_spark ? join("", [
    "spark/",
    substr(sha256(join("", [for file in ["environment.tar.gz", "step.py"] : filesha256("${var.spark}/${file}")])), 0, 16)
  ]) : ""
  spark = local.has_spark ? jsondecode(templatefile("${path.module}/documents/spark/application.json", local.values)) : null
  # What the documents under spark/ leave open besides.
  spark_values = local.has_spark ? merge(local.values, {
    spark_application = aws_emrserverless_application.this[0].id
    spark_package     = "s3://${var.bucket}/${local.spark_package}"
  }) : local.values
}

resource "aws_emrserverless_application" "this" {
  count = local.has_spark ? 1 : 0

  name          = local.spark.name
  type          = lower(local.spark.type)
  release_label = local.spark.releaseLabel
  architecture  = local.spark.architecture

  auto_start_configuration {
    enabled = local.spark.autoStartConfiguration.enabled
  }

  auto_stop_configuration {
    enabled              = local.spark.autoStopConfiguration.enabled
    idle_timeout_minutes = local.spark.autoStopConfiguration.idleTimeoutMinutes
  }

  maximum_capacity {
    cpu    = local.spark.maximumCapacity.cpu
    memory = local.spark.maximumCapacity.memory
    disk   = local.spark.maximumCapacity.disk
  }
}

resource "aws_cloudwatch_log_group" "spark" {
  count = local.has_spark ? 1 : 0

  name              = "/aws/emr-serverless/${local.spark.name}"
  retention_in_days = 90
}

resource "aws_s3_object" "spark_environment" {
  count = local.has_spark ? 1 : 0

  bucket = aws_s3_bucket.store.id
  key    = "${local.spark_package}/environment.tar.gz"
  source = "${var.spark}/environment.tar.gz"

  # `takings aws deploy spark` brings further packages; executions may still run with this one.
  lifecycle {
    ignore_changes = all
  }

  depends_on = [aws_s3_bucket_versioning.store]
}

# With it, the package counts as deployed.
resource "aws_s3_object" "spark_step" {
  count = local.has_spark ? 1 : 0

  bucket = aws_s3_bucket.store.id
  key    = "${local.spark_package}/step.py"
  source = "${var.spark}/step.py"

  lifecycle {
    ignore_changes = all
  }

  depends_on = [aws_s3_object.spark_environment]
}
