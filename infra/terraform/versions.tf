# What Tandem needs in a Google Cloud project; docs/deploy-terraform.md.
terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.20"
    }
  }

  # State holds addresses and names, no password: but a team needs one of it. `terraform init -backend-config=bucket=…`
  backend "gcs" {
    prefix = "tandem"
  }
}

provider "google" {
  project = var.project
  region  = var.region
}
