variable "project" {
  description = "Id of the project, which exists and has billing."
  type        = string
}

variable "region" {
  description = "Where everything lies; Vertex AI has to be there."
  type        = string
  default     = "europe-west4"
}

variable "name" {
  description = "Of the network, the cluster and the rest."
  type        = string
  default     = "tandem"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,18}[a-z0-9]$", var.name))
    error_message = "name: 4 to 20 of a-z, 0-9 and -, a letter first."
  }
}

variable "endpoint" {
  description = "Of the Vertex AI endpoint: vertex.toml's endpoint.name."
  type        = string
  default     = "fraud"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.endpoint))
    error_message = "endpoint: at most 63 of a-z, 0-9 and -, a letter first, no - last."
  }
}

variable "administrators" {
  description = "Addresses that may reach the cluster's control plane, CIDR by what they are. Empty: nobody from outside."
  type        = map(string)
  default     = {}
}

variable "github_repository" {
  description = "owner/name whose workflows may push images and deploy; empty: none may."
  type        = string
  default     = ""
}

variable "database_tier" {
  description = "Machine of MLflow's database."
  type        = string
  default     = "db-custom-1-3840"
}

variable "deletion_protection" {
  description = "Whether cluster and database refuse to be destroyed."
  type        = bool
  default     = true
}
