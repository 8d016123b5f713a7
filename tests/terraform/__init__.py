"""Try infra/terraform: it is applied to an emulated AWS and compared with what `takings aws bootstrap` makes."""
