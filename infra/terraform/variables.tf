variable "region" {
  description = "AWS_REGION: where everything is made; the region of the provider."
  type        = string
}

variable "bucket" {
  description = "S3_BUCKET_NAME: the store, s3://bucket. It is made."
  type        = string
}

variable "table_prefix" {
  description = "As in takings.toml, where several shops share an account: before the tables' names, and the other names."
  type        = string
  default     = ""

  validation {
    condition     = length(var.table_prefix) <= 34 && can(regex("^([a-z0-9]+[-_.])*([a-z0-9]+)?$", var.table_prefix))
    error_message = "It also names images and roles: use small letters and digits, with single - _ . between or after them, 34 characters at most."
  }
}

variable "subnets" {
  description = "SUBNET_1 and SUBNET_2: where tasks run. None: those of the default VPC."
  type        = list(string)
  default     = []
}

variable "security_group" {
  description = "SECURITY_GROUP: of tasks. None: one is made, which nobody reaches."
  type        = string
  default     = null
}

variable "image_tag" {
  description = "The tag that both images have at first; afterwards `takings aws deploy` says which run."
  type        = string
  default     = "latest"
}

variable "lambdas" {
  description = "The folder into which `make lambdas` has built the functions, for their first code."
  type        = string
}

variable "sweep_minutes" {
  description = "As `sweep` in takings.toml: how often the store is looked at without an event."
  type        = number
  default     = 5

  validation {
    condition     = var.sweep_minutes >= 1 && floor(var.sweep_minutes) == var.sweep_minutes
    error_message = "A schedule knows whole minutes."
  }
}

variable "event_window_seconds" {
  description = "As `event_window` in takings.toml: how long the bucket's events are gathered before one look."
  type        = number
  default     = 20

  validation {
    condition     = var.event_window_seconds >= 1 && var.event_window_seconds <= 300 && floor(var.event_window_seconds) == var.event_window_seconds
    error_message = "Lambda offers whole seconds, from 1 to 300."
  }
}

variable "batch_wait_minutes" {
  description = "As `batch_wait` in takings.toml: files that wait an hour longer are an alarm."
  type        = number
  default     = 20
}

variable "execution_logs" {
  description = "As in takings.toml: which events of its executions the state machine logs: OFF, FATAL, ERROR or ALL."
  type        = string
  default     = "ERROR"

  validation {
    condition     = contains(["OFF", "FATAL", "ERROR", "ALL"], var.execution_logs)
    error_message = "Step Functions knows OFF, FATAL, ERROR and ALL."
  }
}

variable "tracing" {
  description = "As in takings.toml: whether X-Ray traces executions and functions."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "As in takings.toml: whether DynamoDB refuses to delete the tables."
  type        = bool
  default     = true
}

variable "notify" {
  description = "An e-mail address that hears of alarms; AWS asks it to confirm."
  type        = string
  default     = null
}

variable "spark" {
  description = "The folder into which `make spark` has built the package of jobs on EMR Serverless, which take batches that are too large for Fargate. None: no jobs."
  type        = string
  default     = null
}

variable "github" {
  description = "OWNER/REPOSITORY, or OWNER@ID/REPOSITORY@ID: whose workflow may deploy, from its environment `production`."
  type        = string
  default     = null
}
