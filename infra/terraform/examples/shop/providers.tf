terraform {
  required_version = ">= 1.7"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 6.0.0"
    }
  }
}

provider "aws" {
  region = var.region

  # Everything that is made carries them: the bill can be split by them.
  default_tags {
    tags = merge(var.tags, { takings-store = var.bucket })
  }
}
