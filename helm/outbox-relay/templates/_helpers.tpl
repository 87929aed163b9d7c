{{- define "outbox-relay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Of a release's name: it may have dots, which names of Services and volumes may not; and these have 63 characters, with "-credentials" behind it. */ -}}
{{- define "outbox-relay.fullname" -}}
{{- $name := include "outbox-relay.name" . }}
{{- $release := .Release.Name | replace "." "-" }}
{{- default (ternary $release (printf "%s-%s" $release $name) (contains $name $release)) .Values.fullnameOverride | trunc 51 | trimSuffix "-" }}
{{- end }}

{{- define "outbox-relay.selectorLabels" -}}
app.kubernetes.io/name: {{ include "outbox-relay.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "outbox-relay.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "outbox-relay.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "outbox-relay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "outbox-relay.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "outbox-relay.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{- /* Whether this release deploys pods of its own, and so whether Service, budget and the like have anything to select. */ -}}
{{- define "outbox-relay.deploysPods" -}}
{{- if or (eq .Values.mode "deployment") .Values.sidecar.containers }}true{{ end }}
{{- end }}

{{- define "outbox-relay.configName" -}}
{{- default (include "outbox-relay.fullname" .) .Values.existingConfig.name }}
{{- end }}

{{- define "outbox-relay.configKind" -}}
{{- if .Values.existingConfig.name }}{{ .Values.existingConfig.kind }}{{ else }}{{ .Values.configKind }}{{ end }}
{{- end }}

{{- define "outbox-relay.configYaml" -}}
{{- $token := dict }}
{{- with .Values.credentials.adminTokenKey }}
{{- $token = dict "admin" (dict "tokenFile" (printf "%s/%s" $.Values.credentials.mountPath .)) }}
{{- end }}
{{- merge $token (deepCopy .Values.config) | toYaml }}
{{- end }}

{{- define "outbox-relay.credentialsName" -}}
{{- if .Values.credentials.existingSecret }}
{{- .Values.credentials.existingSecret }}
{{- else if .Values.credentials.create }}
{{- include "outbox-relay.fullname" . }}-credentials
{{- end }}
{{- end }}

{{- define "outbox-relay.adminPort" -}}
{{- dig "admin" "port" 9464 .Values.config | int }}
{{- end }}

{{- /* The port of gRPC's health service; empty where there is none. */ -}}
{{- define "outbox-relay.grpcPort" -}}
{{- with dig "admin" "grpc" "port" nil .Values.config }}{{ int . }}{{ end }}
{{- end }}

{{- /* A duration of the configuration (20s, 1.5m, 500ms) in whole seconds, rounded up. */ -}}
{{- define "outbox-relay.seconds" -}}
{{- $text := toString . }}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$" $text) }}
{{- fail (printf "config.shutdown.drain is %q: expected a duration such as 20s; or set terminationGracePeriodSeconds" $text) }}
{{- end }}
{{- $factors := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 }}
{{- $unit := regexFind "[a-z]+$" $text }}
{{- mulf (float64 (trimSuffix $unit $text)) (get $factors $unit) | ceil | int }}
{{- end }}

{{- /* What is in flight is published and deleted for shutdown.drain, and the process may take 5 s more. */ -}}
{{- define "outbox-relay.gracePeriod" -}}
{{- $given := .Values.terminationGracePeriodSeconds }}
{{- if kindIs "invalid" $given }}
{{- add (include "outbox-relay.seconds" (dig "shutdown" "drain" "20s" .Values.config)) 10 }}
{{- else }}
{{- $given | int }}
{{- end }}
{{- end }}

{{- define "outbox-relay.meshLabels" -}}
{{- if eq .Values.serviceMesh.type "istio" }}
sidecar.istio.io/inject: "true"
{{- end }}
{{- end }}

{{- /* Ports past the proxy, the relay after the proxy, and the proxy's end after the relay's. */ -}}
{{- define "outbox-relay.meshAnnotations" -}}
{{- $outbound := join "," .Values.serviceMesh.excludeOutboundPorts }}
{{- $inbound := ternary (include "outbox-relay.adminPort" .) "" .Values.serviceMesh.excludeAdminPort }}
{{- if eq .Values.serviceMesh.type "istio" }}
{{- $proxy := dict "holdApplicationUntilProxyStarts" true "proxyMetadata" (dict "EXIT_ON_ZERO_ACTIVE_CONNECTIONS" "true") }}
proxy.istio.io/config: {{ toJson $proxy | quote }}
{{- with $outbound }}
traffic.sidecar.istio.io/excludeOutboundPorts: {{ . | quote }}
{{- end }}
{{- with $inbound }}
traffic.sidecar.istio.io/excludeInboundPorts: {{ . | quote }}
{{- end }}
{{- else if eq .Values.serviceMesh.type "linkerd" }}
linkerd.io/inject: enabled
config.linkerd.io/proxy-await: enabled
{{- with $outbound }}
config.linkerd.io/skip-outbound-ports: {{ . | quote }}
{{- end }}
{{- with $inbound }}
config.linkerd.io/skip-inbound-ports: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
