variable "region" {
  description = "Where everything is made."
  type        = string
}

variable "bucket" {
  description = "The store, s3://bucket. It is made."
  type        = string
}

variable "notify" {
  description = "An e-mail address that hears of alarms; AWS asks it to confirm."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything, such as a cost centre."
  type        = map(string)
  default     = {}
}
