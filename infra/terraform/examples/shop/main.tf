# A shop's pipeline. Outside this repository, name where the module is and a commit of it:
#
#   source = "git::https://github.com/OWNER/REPOSITORY.git//infra/terraform?ref=COMMIT"

module "takings" {
  source = "../.."

  region = var.region
  bucket = var.bucket
  notify = var.notify

  # `make lambdas` builds them there.
  lambdas = "${path.module}/../../../../build/lambdas"
}
