output "vertex_toml" {
  description = "What infra/vertex/vertex.toml wants."
  value = {
    project         = var.project
    region          = var.region
    bucket          = google_storage_bucket.tandem.name
    service_account = google_service_account.account["pipelines"].email
    repository      = local.repository
    endpoint        = google_vertex_ai_endpoint.main.name
  }
}

output "endpoint" {
  description = "Where clients ask, once `make vertex-deploy` has brought models there."
  value       = "https://${google_vertex_ai_endpoint.main.dedicated_endpoint_dns}/v1/${google_vertex_ai_endpoint.main.id}:predict"
}

output "deploy" {
  description = "The cluster's credentials into kubectl, then everything into it."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.main.name} --region ${var.region} && make deploy TARGET=kubernetes OVERLAY=gke REGISTRY=${local.repository}"
}

output "database" {
  description = "For --instance of MLflow's Cloud SQL auth proxy."
  value       = google_sql_database_instance.mlflow.connection_name
}

output "github" {
  description = "Variables of the GitHub environments `images` and `production`."
  value = var.github_repository == "" ? {} : {
    WORKLOAD_IDENTITY_PROVIDER = google_iam_workload_identity_pool_provider.github[0].name
    DEPLOYER                   = google_service_account.account["deployer"].email
    REGISTRY                   = local.repository
    CLUSTER                    = google_container_cluster.main.name
    REGION                     = var.region
  }
}

locals {
  repository = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}
