# The rules that tflint brings along; it fetches nothing.
plugin "terraform" {
  enabled = true
  preset  = "recommended"
}

# Outputs are named as the secrets of the workflow.
rule "terraform_naming_convention" {
  enabled = false
}
