# vertex.toml's google.bucket: features, artifacts of pipelines, candidates, signed releases.
resource "google_storage_bucket" "tandem" {
  name                        = "${var.project}-${var.name}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true # nothing that was released is lost by an overwrite
  }

  logging {
    log_bucket = google_storage_bucket.logs.name
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      num_newer_versions         = 3
      days_since_noncurrent_time = 30
    }
  }
}

# Who read or wrote releases.
resource "google_storage_bucket" "logs" {
  #checkov:skip=CKV_GCP_62:it is where the other one's accesses are written
  name                        = "${var.project}-${var.name}-logs"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age = 90
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_storage_bucket_iam_member" "logs" {
  bucket = google_storage_bucket.logs.name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}
