resource "aws_s3_bucket" "store" {
  bucket = var.bucket

  # All numbers are made of what lies here. README.md says how to keep it, or remove it, when the pipeline goes.
  lifecycle {
    prevent_destroy = true
  }
}

# So that no overwritten file is lost: a batch names the bytes it was formed of.
resource "aws_s3_bucket_versioning" "store" {
  bucket = aws_s3_bucket.store.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "store" {
  bucket = aws_s3_bucket.store.id

  rule {
    bucket_key_enabled = false

    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "store" {
  bucket = aws_s3_bucket.store.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# TLS only.
resource "aws_s3_bucket_policy" "store" {
  bucket = aws_s3_bucket.store.id
  policy = templatefile("${path.module}/documents/bucket-policy.json", local.values)

  depends_on = [aws_s3_bucket_public_access_block.store]
}

resource "aws_s3_bucket_lifecycle_configuration" "store" {
  bucket = aws_s3_bucket.store.id

  rule {
    id     = "takings-uploads"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # A batch may need a replaced version for as long as it is blocked: longer than anybody leaves it so.
  rule {
    id     = "takings-versions"
    status = "Enabled"

    filter {
      prefix = ""
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  # Every archived drop leaves a version and a marker, which slow each listing.
  rule {
    id     = "takings-drops"
    status = "Enabled"

    filter {
      prefix = "raw-data/"
    }

    noncurrent_version_expiration {
      noncurrent_days = 7
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  depends_on = [aws_s3_bucket_versioning.store]
}

# This is all of the bucket's notifications: add your own here.
resource "aws_s3_bucket_notification" "store" {
  bucket = aws_s3_bucket.store.id

  queue {
    id            = "takings-raw-data"
    queue_arn     = aws_sqs_queue.events.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "raw-data/"
  }

  depends_on = [aws_sqs_queue_policy.events]
}
