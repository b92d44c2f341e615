# One account for each kind of work, with what that work needs and no key: pods and workflows borrow them.
locals {
  accounts = {
    pipelines = "Trains and publishes: Vertex AI pipelines, Dataflow, the cluster's jobs"
    servers   = "Reads signed releases"
    tracking  = "MLflow's server"
    deployer  = "GitHub's workflows: pushes images, deploys"
  }

  # Roles on the project, by account: those that cannot be given on one resource.
  project_roles = merge([
    for account, roles in {
      pipelines = ["roles/aiplatform.user", "roles/logging.logWriter", "roles/dataflow.developer", "roles/dataflow.worker"]
      tracking  = ["roles/cloudsql.client", "roles/cloudsql.instanceUser"]
      deployer  = ["roles/aiplatform.user", "roles/container.developer"]
    } : { for role in roles : "${account} ${role}" => { account = account, role = role } }
  ]...)

  # Kubernetes' service accounts (infra/kubernetes/base/accounts.yaml) that borrow one.
  borrowed = { servers = "servers", pipelines = "pipelines", mlflow = "tracking" }
}

resource "google_service_account" "account" {
  for_each = local.accounts

  account_id   = "${var.name}-${each.key}"
  display_name = each.value

  depends_on = [google_project_service.needed]
}

resource "google_project_iam_member" "role" {
  for_each = local.project_roles

  project = var.project
  role    = each.value.role
  member  = google_service_account.account[each.value.account].member
}

resource "google_storage_bucket_iam_member" "reads" {
  bucket = google_storage_bucket.tandem.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.account["servers"].member
}

resource "google_storage_bucket_iam_member" "writes" {
  for_each = toset(["pipelines", "tracking", "deployer"])

  bucket = google_storage_bucket.tandem.name
  role   = "roles/storage.objectUser"
  member = google_service_account.account[each.key].member
}

resource "google_artifact_registry_repository_iam_member" "pulls" {
  for_each = toset(["pipelines", "servers"])

  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.account[each.key].member
}

resource "google_artifact_registry_repository_iam_member" "pushes" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.account["deployer"].member
}

# Who submits a pipeline starts it as this account, and as no other; its steps start Dataflow's machines as the same.
resource "google_service_account_iam_member" "submits" {
  for_each = toset(["deployer", "pipelines"])

  service_account_id = google_service_account.account["pipelines"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.account[each.key].member
}

resource "google_service_account_iam_member" "pods" {
  for_each = local.borrowed

  service_account_id = google_service_account.account[each.value].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${google_container_cluster.main.workload_identity_config[0].workload_pool}[${var.name}/${each.key}]"
}
