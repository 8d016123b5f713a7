terraform {
  required_version = ">= 1.7"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # `make terraform` applied this with 5.100.0; a newer major version names some attributes otherwise.
      version = ">= 5.100.0, < 6.0.0"
    }
  }
}
