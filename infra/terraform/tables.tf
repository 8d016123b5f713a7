locals {
  # Every attribute of a key is a string; docs/aws.md says what each table and index is for.
  tables = {
    PendingBatches = {
      key     = ["bucket_name"]
      indexes = {}
    }
    ProcessedFiles = {
      key = ["file_key", "processing_date"]
      indexes = {
        by_batch       = ["batch_id", "file_key"]
        by_fingerprint = ["fingerprint", "file_key"]
      }
    }
    OrderKPIs = {
      key = ["order_date"]
      indexes = {
        by_range = ["range", "order_date"]
      }
    }
    CategoryKPIs = {
      key = ["category", "order_date"]
      indexes = {
        by_day = ["order_date", "category"]
      }
    }
    OwnKPIs = {
      key = ["table_day", "grain"]
      indexes = {
        by_table = ["kpi_table", "order_date"]
      }
    }
  }
}

resource "aws_dynamodb_table" "this" {
  for_each = local.tables

  name         = "${var.table_prefix}${each.key}"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = each.value.key[0]
  range_key    = try(each.value.key[1], null)

  dynamic "attribute" {
    for_each = toset(concat(each.value.key, values(each.value.indexes)...))
    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = each.value.indexes
    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value[0]
      range_key       = global_secondary_index.value[1]
      projection_type = "ALL"
    }
  }

  point_in_time_recovery {
    enabled = true
  }

  deletion_protection_enabled = var.deletion_protection

  # As the bucket.
  lifecycle {
    prevent_destroy = true
  }
}
