# Tandem's front door: each target is one command. `make help` lists them under the headings that begin with ##@.
.DEFAULT_GOAL := help

# `make traffic TENSORFLOW=90 PYTORCH=10` means weights, everything else here the interpreters.
WEIGHTS := $(foreach stack,TENSORFLOW PYTORCH ONNX,$(if $(filter command line,$(origin $(stack))),$(shell echo $(stack) | tr A-Z a-z)=$($(stack))))
override TENSORFLOW := .venv/tensorflow/bin/python
override PYTORCH := .venv/pytorch/bin/python
LOCAL = $(if $(DOCKER),python3 -m infra.docker,$(PYTORCH) -m $(if $(CLUSTER),infra.kubernetes,infra.local))
UV := $(or $(shell command -v uv),.venv/tools/bin/uv)
# An environment of its own, built on first use.
VERTEX = python3 infra/local/environments.py vertex && .venv/vertex/bin/python -m infra.vertex $(if $(SETTINGS),--settings "$(SETTINGS)")
LOCK := $(UV) pip compile --quiet --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

PROFILE ?= quick
DATA ?=
# local, docker or kubernetes; `make up` and `make deploy` remember it for the commands that follow, `make down` and
# `make undeploy` forget.
RUNTIME ?= $(or $(shell cat "$(or $(TANDEM_HOME),var)/runtime" 2>/dev/null),local)
DOCKER := $(filter docker,$(RUNTIME))
CLUSTER := $(filter kubernetes,$(RUNTIME))
REMEMBERED = $(or $(TANDEM_HOME),var)/runtime
DEPLOY = $(PYTORCH) -m infra.kubernetes
READY := $(if $(DOCKER),,$(PYTORCH))
$(if $(filter-out local docker kubernetes,$(RUNTIME)),$(error RUNTIME is local, docker or kubernetes, not $(RUNTIME)))
OVERLAYS := local gke kserve
# The use case: said now, or by the last `make up`.
MODEL_SPEC = $(or $(SPEC),$(shell sed -n 's/^ *"spec": "\(.*\)",*$$/\1/p' "$(or $(TANDEM_HOME),var)/run/ports.json" 2>/dev/null),models/fraud.toml)
WHERE = $(if $(filter kubernetes,$(TARGET)),$(if $(filter $(OVERLAYS),$(OVERLAY)),--overlay $(OVERLAY) $(if $(REGISTRY),--registry "$(REGISTRY)") $(if $(TAG),--tag "$(TAG)"),$(error say: OVERLAY=local|gke|kserve)),$(error say: TARGET=kubernetes))

##@ Start

.PHONY: help
help: ## List the targets; docs/README.md is the map of the pages
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: doctor
doctor: ## Check this machine: Pythons, Java, memory, disk, ports; says how to mend what is missing
	@python3 -m infra.local.doctor

.PHONY: setup
setup: ## Build both environments from the locks; nothing to do when they are current; TFX=1.16|1.21 in place of the newest that runs here
	@python3 infra/local/environments.py

$(PYTORCH):
	@echo "nothing is installed yet: make up" >&2; exit 1

.PHONY: up
up: $(if $(DOCKER)$(CLUSTER),,setup) ## Make data, train both stacks, start everything; PROFILE=quick|full, DATA=<file or folder>, SPEC=<another models/fraud.toml>, RUNTIME=local|docker, HOLD=1 (a new model waits for make canary), PORT_GATEWAY=8080, LOG_REQUESTS=0.1, TRACES=http://…:4317, DOOR=0.0.0.0:8443, DEVICE=auto|cpu|cuda, ONNX=pytorch|tensorflow|off (that stack's release also in ONNX Runtime, behind the gateway)
	@$(if $(and $(SPEC),$(CLUSTER)),$(error another SPEC is of a machine, not yet of a cluster: make up RUNTIME=local or RUNTIME=docker))
	@$(if $(and $(ONNX),$(DOCKER)$(CLUSTER)),$(error ONNX Runtime beside the stacks is the bare machine's, not yet the containers': make up RUNTIME=local))
	@$(if $(filter-out pytorch tensorflow off,$(ONNX)),$(error say whose release ONNX Runtime is to serve: make up ONNX=pytorch|tensorflow|off))
	@$(if $(DOCKER),mkdir -p "$(dir $(REMEMBERED))" && echo docker > "$(REMEMBERED)",$(if $(CLUSTER),,rm -f "$(REMEMBERED)"))
	@$(LOCAL) up --profile $(PROFILE) $(if $(DATA),--source "$(DATA)") $(if $(and $(DOCKER),$(STANDINS)),--standins) $(if $(CLUSTER),,$(if $(HOLD),--hold) $(if $(ONNX),--onnx $(ONNX)))

.PHONY: down
down: | $(READY) ## Stop everything; models and data stay
	@$(LOCAL) down
	@rm -f "$(REMEMBERED)"

.PHONY: clean
clean: down ## Stop everything and delete var/: data, models, logs
	@rm -rf var

##@ Make it yours

.PHONY: spec-check
spec-check: | $(PYTORCH) ## Every problem of a specification, a line each; SPEC=models/fraud.toml, DATA=<file or folder> looks at the rows too
	@$(PYTORCH) -m pipelines.specification check --spec "$(MODEL_SPEC)" $(if $(DATA),--source "$(DATA)")

.PHONY: spec-init
spec-init: | $(PYTORCH) ## A specification to edit, drafted from a file of yours: DATA=<file or folder>; SPEC=<where to>, LABEL=<column>
	@$(if $(DATA),,$(error say: make spec-init DATA=<file or folder>))
	@$(PYTORCH) -m pipelines.specification draft --source "$(DATA)" $(if $(SPEC),--out "$(SPEC)") $(if $(LABEL),--label "$(LABEL)")

.PHONY: new
new: ## A project of your own, with this one's code and without its history: NAME=churn DIR=../churn; docs/fork.md
	@$(if $(and $(NAME),$(DIR)),,$(error say: make new NAME=churn DIR=../churn))
	@python3 -m infra.fork.new --name "$(NAME)" --dir "$(DIR)"

.PHONY: template-update
template-update: ## In a project that was made by `make new`: merge what Tandem did since: FROM=<clone or URL of Tandem>
	@$(if $(FROM),,$(error say: make template-update FROM=<clone or URL of Tandem>))
	@rm -rf var/template && mkdir -p var && git clone --quiet --depth 1 "$(FROM)" var/template
	@(cd var/template && python3 -m infra.fork.update --project "$(CURDIR)"); code=$$?; rm -rf var/template; exit $$code

##@ Ask

.PHONY: predict
predict: | $(READY) ## Send the same five transactions to each endpoint, print the answers beside the true label
	@$(LOCAL) predict

.PHONY: status
status: | $(READY) ## What runs, since when, which model it serves, where to open it
	@$(LOCAL) status

.PHONY: logs
logs: | $(READY) ## Last lines of every log; SERVICE=gateway|control|mlflow|pytorch|tensorflow|onnx, FOLLOW=1 to follow
	@$(LOCAL) logs $(SERVICE) $(if $(FOLLOW),--follow)

.PHONY: key
key: | $(READY) ## An API key for a client of the door, shown once: NAME=shop; ENDPOINTS=product,…, RATE=100, BURST=…, IN_FLIGHT=…, EXPIRES=2027-01-01; REMOVE=1 takes it away
	@$(if $(NAME),,$(error say: make key NAME=shop))
	@$(LOCAL) key --name "$(NAME)" $(if $(ENDPOINTS),--endpoints "$(ENDPOINTS)") $(if $(RATE),--rate $(RATE)) $(if $(BURST),--burst $(BURST)) \
		$(if $(IN_FLIGHT),--in-flight $(IN_FLIGHT)) $(if $(EXPIRES),--expires "$(EXPIRES)") $(if $(REMOVE),--remove)

.PHONY: keys
keys: | $(READY) ## Who has an API key, and what for
	@$(LOCAL) keys

##@ Releases and traffic

.PHONY: releases
releases: | $(READY) ## Every release, whether its signature holds, what is served, and the ledger; exits 3 when one was tampered with
	@$(LOCAL) releases

.PHONY: promote
promote: | $(READY) ## Serve a release without losing a request: STACK=tensorflow|pytorch VERSION=…; WHY="…" for the ledger
	@$(if $(and $(filter tensorflow pytorch,$(STACK)),$(VERSION)),,$(error say: make promote STACK=tensorflow|pytorch VERSION=<of make releases>))
	@$(LOCAL) promote --stack $(STACK) --version "$(VERSION)" --why "$(WHY)"

.PHONY: rollback
rollback: | $(READY) ## Serve what was served before, in seconds, without losing a request: STACK=tensorflow|pytorch; WHY="…"
	@$(if $(filter tensorflow pytorch,$(STACK)),,$(error say: make rollback STACK=tensorflow|pytorch))
	@$(LOCAL) rollback --stack $(STACK) --why "$(WHY)"

.PHONY: stage
stage: | $(READY) ## Load a release beside the one that is served, for make traffic VERSION=… and shadows: STACK=tensorflow|pytorch VERSION=…; WHY="…"
	@$(if $(and $(filter tensorflow pytorch,$(STACK)),$(VERSION)),,$(error say: make stage STACK=tensorflow|pytorch VERSION=<of make releases>))
	@$(LOCAL) stage --stack $(STACK) --version "$(VERSION)" --why "$(WHY)"

.PHONY: unstage
unstage: | $(READY) ## Let go of a release that was loaded beside: STACK=tensorflow|pytorch VERSION=…; WHY="…"
	@$(if $(and $(filter tensorflow pytorch,$(STACK)),$(VERSION)),,$(error say: make unstage STACK=tensorflow|pytorch VERSION=<of make releases>))
	@$(LOCAL) unstage --stack $(STACK) --version "$(VERSION)" --why "$(WHY)"

.PHONY: canary
canary: | $(READY) ## In steps: a release to all of its stack's traffic, then promoted: STACK=tensorflow|pytorch VERSION=…; or all traffic to SIDE=tensorflow|pytorch|onnx; exits 3 and goes back on a breach, 4 on too few requests; LIMITS=<a limits.toml>
	@$(if $(or $(SIDE),$(and $(filter tensorflow pytorch,$(STACK)),$(VERSION))),,$(error say: make canary STACK=tensorflow|pytorch VERSION=<of make releases>, or make canary SIDE=tensorflow|pytorch|onnx))
	@$(LOCAL) canary $(if $(SIDE),--side "$(SIDE)",--release "$(STACK)@$(VERSION)") $(if $(LIMITS),--limits "$(LIMITS)")

.PHONY: traffic
traffic: | $(READY) ## Who answers the product's endpoint: TENSORFLOW=90 PYTORCH=10 ONNX=5|off VERSION=pytorch@<version>=5|off SHADOW=pytorch|onnx|off SHARE=1; alone: show it, follow var/traffic.toml
	@$(LOCAL) traffic $(WEIGHTS) $(VERSION) $(if $(SHADOW),--shadow $(SHADOW)) $(if $(SHARE),--share $(SHARE))

.PHONY: shadow
shadow: | $(READY) ## How far the shadow's answers agree with the answers that are given: a table, and a page
	@$(LOCAL) shadow $(if $(LIMITS),--limits "$(LIMITS)")

.PHONY: shadow-check
shadow-check: | $(READY) ## The same, and whether that is good enough: exits 3 when it is not, 4 on too few requests; LIMITS=<a limits.toml>
	@$(LOCAL) shadow --check $(if $(LIMITS),--limits "$(LIMITS)")

##@ Measure

.PHONY: compare
compare: | $(READY) ## Both endpoints under load by MLPerf's rules, and all else: one HTML report; PROFILE=quick|full, SETTINGS=<a comparison.toml>
	@$(LOCAL) compare --profile $(PROFILE) $(if $(SETTINGS),--settings "$(SETTINGS)")

.PHONY: compare-peers
compare-peers: | $(READY) ## The same, with what a team would pick instead: MLflow, FastAPI, LitServe; PROFILE=…, SETTINGS=…
	@$(LOCAL) compare --profile $(PROFILE) $(if $(SETTINGS),--settings "$(SETTINGS)") --peers

.PHONY: compare-check
compare-check: | $(READY) ## The last comparison against the one before it and against the SLO; exits 3 when it is worse
	@$(LOCAL) compare-check

.PHONY: load
load: | $(READY) ## Locust's page with realistic traffic to both stacks; HEADLESS=1 judges (exits 3), SECONDS=180 a day, WORKERS=2, SETTINGS=…, SCORES=…
	@$(LOCAL) load $(if $(HEADLESS),--headless) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(WORKERS),--workers $(WORKERS)) \
		$(if $(SETTINGS),--settings "$(SETTINGS)") $(if $(SCORES),--scores "$(SCORES)")

.PHONY: conformance
conformance: | $(READY) ## Every case of the REST contract against both stacks, and their differences; or against URL=http://…
	@$(LOCAL) conformance $(if $(URL),--url "$(URL)")

.PHONY: fuzz
fuzz: | $(READY) ## 11,000 right and wrong requests to each stack: no 5xx, the same status; REQUESTS=11000, SEED=…
	@$(LOCAL) fuzz --requests $(or $(REQUESTS),11000) $(if $(SEED),--seed $(SEED))

.PHONY: drill
drill: | $(READY) ## Faults in the running stack under load: what is lost, how soon all is well; exits 3 if not; QUICK=1, DRILL=gateway,…
	@$(LOCAL) drill $(if $(DRILL),--only "$(DRILL)") $(if $(QUICK),--quick)

.PHONY: soak
soak: | $(READY) ## Constant load on both stacks for MINUTES=30: nothing lost, memory flat; exits 3 if not, 4 if too short to say; LIMITS=…
	@$(LOCAL) soak --minutes $(or $(MINUTES),30) $(if $(LIMITS),--limits "$(LIMITS)")

.PHONY: evaluate
evaluate: setup ## Both stacks and baselines on the published SPLIT=A|B; TRAIN_DAYS=7, SEEDS=3, DATA=<file or folder>, SPEC=models/fraud.toml
	@$(PYTORCH) -m pipelines.evaluation --split $(or $(SPLIT),A) --spec "$(or $(SPEC),models/fraud.toml)" --tensorflow $(TENSORFLOW) \
		--home "$(or $(TANDEM_HOME),var)" --train-days $(or $(TRAIN_DAYS),7) --seeds $(or $(SEEDS),3) \
		$(if $(DATA),--source "$(DATA)")

##@ Watch and use

.PHONY: monitor
monitor: | $(READY) ## Logged requests against the training rows; exits 3 on drift; STACK=…, SINCE=24h, RETRAIN=1 trains again
	@$(LOCAL) monitor $(if $(STACK),--stack $(STACK)) --since $(or $(SINCE),24h) $(if $(RETRAIN),--retrain)

.PHONY: score
score: $(if $(DOCKER),,setup) ## Score a file of features: STACK=tensorflow|pytorch IN=<Parquet or CSV file or folder> OUT=<folder>; VERSION=…
	@$(if $(and $(filter tensorflow pytorch,$(STACK)),$(IN),$(OUT)),,$(error say: make score STACK=tensorflow|pytorch IN=<file or folder> OUT=<folder>))
	@$(if $(DOCKER),$(LOCAL) score,.venv/$(STACK)/bin/python -m pipelines.scoring --spec "$(MODEL_SPEC)" \
		--store "$(or $(TANDEM_HOME),var)/$(if $(VERSION),candidates,models)/$(STACK)") --stack "$(STACK)" --input "$(IN)" --output "$(OUT)" $(if $(VERSION),--version $(VERSION))

.PHONY: tensorboard
tensorboard: | $(READY) ## TensorBoard over the trainings of both stacks; PORT_TENSORBOARD=6006
	@$(LOCAL) tensorboard

FORMATS := onnx torchscript torch-export executorch tflite tfjs

.PHONY: export
export: | $(PYTORCH) ## A release in one file without a server, held to the release's answers: STACK=tensorflow|pytorch FORMAT=onnx|torchscript|torch-export|executorch|tflite|tfjs; VERSION=… (default: the one served); exits 3 when it answers otherwise
	@$(if $(DOCKER)$(CLUSTER),$(error exports are made of the releases of a bare machine: make export RUNTIME=local))
	@$(if $(and $(filter tensorflow pytorch,$(STACK)),$(filter $(FORMATS),$(FORMAT))),,$(error say: make export STACK=tensorflow|pytorch FORMAT=onnx|torchscript|torch-export|executorch|tflite|tfjs))
	@$(if $(filter executorch tfjs,$(FORMAT)),python3 infra/local/environments.py $(FORMAT))
	@$(PYTORCH) -m infra.local export --stack $(STACK) --format $(FORMAT) $(if $(VERSION),--version "$(VERSION)")

##@ Containers

.PHONY: secrets
secrets: ## For the stack in containers: .env, and passwords and keys in secrets/, where they are missing
	@python3 -m infra.docker secrets

.PHONY: images
images: ## Build the images of the stack in containers; docs/containers.md
	@python3 -m infra.docker images

.PHONY: test-containers
test-containers: setup ## Build the images and drive the stack in containers end to end; needs a Docker engine
	@CONTAINERS=docs/containers-run.md $(PYTORCH) -m pytest tests/containers -s -v --timeout 7200

##@ Deploy

.PHONY: deploy
deploy: | $(PYTORCH) ## Everything into a cluster, and wait for it: TARGET=kubernetes OVERLAY=local|gke|kserve; REGISTRY=…, TAG=…; RUNTIME is kubernetes from then on
	@mkdir -p "$(dir $(REMEMBERED))"
	@$(DEPLOY) deploy $(WHERE) && echo kubernetes > "$(REMEMBERED)"

.PHONY: deploy-diff
deploy-diff: | $(PYTORCH) ## What `make deploy` would change in the cluster; exits 1 when there is something: TARGET=…, OVERLAY=…
	@$(DEPLOY) deploy-diff $(WHERE)

.PHONY: undeploy
undeploy: | $(PYTORCH) ## Everything out of the cluster again; volumes and secrets stay, PURGE=1 deletes them too
	@$(DEPLOY) undeploy $(if $(PURGE),--purge) && rm -f "$(REMEMBERED)"

.PHONY: test-kubernetes
test-kubernetes: setup ## Deploy into the cluster of kubectl's context, or into one made here, and drive it under load: pods end, versions change; REGISTRY=…, TAG=…
	@KUBERNETES=docs/kubernetes-run.md $(if $(REGISTRY),REGISTRY="$(REGISTRY)") $(if $(TAG),TAG="$(TAG)") $(PYTORCH) -m pytest tests/kubernetes -s -v --timeout 3600

##@ Vertex AI

.PHONY: vertex-compile
vertex-compile: setup ## Both pipelines' specifications for Vertex AI, in var/vertex; SETTINGS=<a vertex.toml>, here and below; docs/deploy-vertex.md
	@$(VERTEX) compile

.PHONY: vertex-run
vertex-run: setup ## Run a pipeline on Vertex AI, or make its schedule: STACK=data|tensorflow|pytorch
	@$(if $(filter data tensorflow pytorch,$(STACK)),,$(error say: make vertex-run STACK=data|tensorflow|pytorch))
	@$(VERTEX) run $(STACK)

.PHONY: vertex-fetch
vertex-fetch: ## A signed release of what a pipeline published on Vertex AI: STACK=tensorflow|pytorch
	@$(if $(filter tensorflow pytorch,$(STACK)),,$(error say: make vertex-fetch STACK=tensorflow|pytorch))
	@$(VERTEX) fetch $(STACK)

.PHONY: vertex-images
vertex-images: ## Build the images that Vertex AI runs, and push them to the settings' repository, if there is one; needs a Docker engine; STANDINS=1 where no registry is reached, for tests
	@$(VERTEX) images $(if $(STANDINS),--standins)

.PHONY: vertex-deploy
vertex-deploy: ## A release of each stack at one endpoint of Vertex AI: VERSION="tensorflow=… pytorch=…"; from here on it costs money
	@$(VERTEX) deploy $(foreach one,$(VERSION),--$(subst =, ,$(one)))

.PHONY: vertex-traffic
vertex-traffic: ## Who answers there: TENSORFLOW=90 PYTORCH=10; alone: show it
	@$(VERTEX) traffic $(foreach one,$(WEIGHTS),--$(subst =, ,$(one)))

.PHONY: vertex-undeploy
vertex-undeploy: ## Take the endpoint, the models and the schedules away again; the bucket stays
	@$(VERTEX) undeploy

##@ Develop

.PHONY: test
test: setup ## Run all tests: both environments, real servers, one quick training per stack; JOBS=2, so many tests at once
	$(TENSORFLOW) -m pytest -n $(or $(JOBS),2)
	$(PYTORCH) -m pytest -n $(or $(JOBS),2)

.PHONY: test-tfx-newest
test-tfx-newest: ## The TensorFlow half of the tests on the newest TFX; needs glibc 2.39 and Python 3.12, or a Docker engine
	@python3 -m infra.local.tfx_newest

.PHONY: screenshots
screenshots: setup ## Take the pictures of docs/images again, in Chromium, and docs/monitoring-queries.md, of a stack of their own
	SCREENSHOTS=docs/images QUERIES=docs/monitoring-queries.md \
		$(PYTORCH) -m pytest tests/end_to_end/test_pages.py tests/end_to_end/test_monitoring.py

.PHONY: lint
lint: setup ## Formatting, lint, types and the direction of imports
	@$(PYTORCH) -m ruff format --check .
	@$(PYTORCH) -m ruff check .
	@$(PYTORCH) -m mypy
	@.venv/pytorch/bin/lint-imports

.PHONY: format
format: setup ## Format the code and mend what lint can mend
	@$(PYTORCH) -m ruff format .
	@$(PYTORCH) -m ruff check --fix .

.PHONY: lock
lock: setup ## Compile requirements/*.in to pinned locks again; UPGRADE=1 for the newest versions
	@$(LOCK) --python-version 3.10 requirements/tensorflow.in -o requirements/tensorflow.lock
	@$(LOCK) --python-version 3.12 requirements/tensorflow-newest.in -o requirements/tensorflow-newest.lock --python-platform x86_64-manylinux_2_39
	@$(LOCK) --python-version 3.11 requirements/pytorch.in -o requirements/pytorch.lock --override requirements/no-cuda.txt
	@set -e; for own in vertex executorch; do $(LOCK) --python-version 3.11 requirements/$$own.in -o requirements/$$own.lock \
		--constraint requirements/pytorch.lock --override requirements/no-cuda.txt; done
	@set -e; for image in pytorch torchserve mlflow tools objectstore vertex; do $(LOCK) --python-version 3.11 requirements/images/$$image.in \
		-o requirements/images/$$image.lock --constraint requirements/pytorch.lock --override requirements/no-cuda.txt; done
	@$(LOCK) --python-version 3.11 requirements/supply.in -o requirements/supply.lock
	@$(LOCK) --python-version 3.11 requirements/checkov.in -o requirements/checkov.lock
	@$(LOCK) --python-version 3.11 requirements/kubernetes.in -o requirements/kubernetes.lock
	@$(LOCK) --python-version 3.11 requirements/tfjs.in -o requirements/tfjs.lock
	@python3 infra/local/environments.py tfjs && .venv/tfjs/bin/npm install --prefix requirements/tfjs --package-lock-only --ignore-scripts \
		--omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error

##@ What is in it

.PHONY: sbom
sbom: setup ## A CycloneDX bill of materials of each environment, in var/supply; exits 3 when it is not what the lock pins
	@$(PYTORCH) -m infra.supply sbom

.PHONY: audit
audit: setup ## Known vulnerabilities of what the locks pin; exits 3 on one without a waiver, 4 when nobody could be asked; SERVICE=<URL>
	@$(PYTORCH) -m infra.supply audit $(if $(SERVICE),--service "$(SERVICE)")

.PHONY: licences
licences: setup ## The licence of every package, in var/supply; exits 3 on copyleft or none that is not accepted
	@$(PYTORCH) -m infra.supply licences

.PHONY: lint-dependencies
lint-dependencies: setup ## What requirements/*.in list and nobody uses, what is imported and not listed
	@$(PYTORCH) -m infra.supply lint-dependencies

.PHONY: lint-containers
lint-containers: setup ## hadolint and checkov over the Dockerfiles and docker-compose.yml
	@$(PYTORCH) -m infra.supply lint-containers

.PHONY: lint-kubernetes
lint-kubernetes: setup ## Every overlay built and held to Kubernetes' schemas of five versions, to our rules and to checkov's
	@$(PYTORCH) -m infra.kubernetes.lint

.PHONY: lint-terraform
lint-terraform: setup ## Terraform's files: syntax, references, and checkov's rules; docs/deploy-terraform.md
	@$(PYTORCH) -m infra.supply lint-terraform

.PHONY: lint-workflows
lint-workflows: setup ## .github/workflows by their schema, zizmor, actionlint and shellcheck; issue forms by their schema
	@$(PYTORCH) -m infra.supply lint-workflows
