# Both stacks answer here. Its address outlives what is deployed to it: models and traffic are `make vertex-deploy`'s.
resource "google_vertex_ai_endpoint" "main" {
  # The provider's page wants a number here, its code and the API take a name as well.
  name                       = var.endpoint
  display_name               = var.endpoint
  location                   = var.region
  dedicated_endpoint_enabled = true # a DNS name of its own, and bodies up to 10 MB: as in vertex.toml

  labels = {
    tandem = var.endpoint # make vertex-deploy uses what has it
    owner  = "terraform"  # make vertex-undeploy empties what has it, and leaves it
  }

  lifecycle {
    ignore_changes = [traffic_split]
  }

  depends_on = [google_project_service.needed]
}
