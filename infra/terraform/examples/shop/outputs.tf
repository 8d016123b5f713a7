output "takings" {
  description = "What the workflow on GitHub asks for, and where images are pushed to."
  value       = module.takings
}
