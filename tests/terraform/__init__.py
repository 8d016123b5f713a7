"""Try infra/terraform: apply it to an emulated AWS and compare it with what `takings aws bootstrap` creates."""
