output "STEP_FUNCTIONS_ARN" {
  description = "Of the state machine; `aws stepfunctions list-executions` asks for it."
  value       = aws_sfn_state_machine.pipeline.arn
}

output "S3_BUCKET_NAME" {
  description = "The store, s3://bucket."
  value       = aws_s3_bucket.store.bucket
}

output "AWS_ACCOUNT_ID" {
  description = "Where all of it is."
  value       = data.aws_caller_identity.this.account_id
}

output "SUBNETS" {
  description = "In which tasks run."
  value       = local.subnets
}

output "SECURITY_GROUP" {
  description = "Of tasks."
  value       = local.security_group
}

output "repositories" {
  description = "Where the images are pushed to."
  value       = { for name, repository in aws_ecr_repository.service : name => repository.repository_url }
}

output "alarms" {
  description = "The topic to which alarms are sent."
  value       = aws_sns_topic.alarms.arn
}
