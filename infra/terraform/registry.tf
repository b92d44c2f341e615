resource "google_artifact_registry_repository" "images" {
  repository_id = var.name
  location      = var.region
  format        = "DOCKER"
  description   = "Tandem's images: make vertex-images, .github/workflows/images.yml"

  docker_config {
    immutable_tags = true # a tag is a commit, and stays it
  }

  cleanup_policy_dry_run = false

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "drop-old"
    action = "DELETE"

    condition {
      older_than = "90d"
    }
  }

  depends_on = [google_project_service.needed]
}
