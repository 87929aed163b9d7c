{{- /* The relay's container without its name. */ -}}
{{- define "outbox-relay.container" -}}
image: {{ include "outbox-relay.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [run]
{{- include "outbox-relay.environment" . }}
ports:
  - name: admin
    containerPort: {{ include "outbox-relay.adminPort" . }}
    protocol: TCP
  {{- with include "outbox-relay.grpcPort" . }}
  - name: grpc-health
    containerPort: {{ . }}
    protocol: TCP
  {{- end }}
{{- include "outbox-relay.probe" (dict "root" . "name" "startup" "path" "/healthz") }}
{{- include "outbox-relay.probe" (dict "root" . "name" "liveness" "path" "/healthz") }}
{{- if eq .Values.mode "deployment" }}
{{- include "outbox-relay.probe" (dict "root" . "name" "readiness" "path" "/readyz") }}
{{- end }}
{{- with .Values.lifecycle }}
lifecycle:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: {{ include "outbox-relay.volumeName" . }}
    mountPath: /etc/outbox-relay
    readOnly: true
  {{- if include "outbox-relay.credentialsName" . }}
  - name: {{ include "outbox-relay.volumeName" . }}-credentials
    mountPath: {{ .Values.credentials.mountPath }}
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "outbox-relay.environment" -}}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $credentials := ternary (include "outbox-relay.credentialsName" .) "" .Values.credentials.asEnvironment }}
{{- if or $credentials .Values.extraEnvFrom }}
envFrom:
  {{- with $credentials }}
  - secretRef:
      name: {{ . }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* HTTPS where the admin port has TLS. The kubelet does not verify certificates. */ -}}
{{- define "outbox-relay.probe" -}}
{{- $settings := get .root.Values.probes .name }}
{{- if $settings }}
{{ .name }}Probe:
  httpGet:
    path: {{ .path }}
    port: admin
    {{- if dig "admin" "tls" nil .root.Values.config }}
    scheme: HTTPS
    {{- end }}
  {{- toYaml $settings | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Names that do not meet those of an application's pod. */ -}}
{{- define "outbox-relay.volumeName" -}}
{{- include "outbox-relay.fullname" . }}
{{- end }}

{{- define "outbox-relay.volumes" -}}
- name: {{ include "outbox-relay.volumeName" . }}
  {{- if eq (include "outbox-relay.configKind" .) "Secret" }}
  secret:
    secretName: {{ include "outbox-relay.configName" . }}
  {{- else }}
  configMap:
    name: {{ include "outbox-relay.configName" . }}
  {{- end }}
    items:
      - key: {{ default "config.yaml" (ternary .Values.existingConfig.key "" (not (empty .Values.existingConfig.name))) }}
        path: config.yaml
{{- with include "outbox-relay.credentialsName" . }}
- name: {{ include "outbox-relay.volumeName" $ }}-credentials
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /*
For an application's own chart that has this one as a dependency, in its pod template:

  initContainers:
    {{- include "outbox-relay.sidecar" (index .Subcharts "outbox-relay") | nindent 4 }}
  volumes:
    {{- include "outbox-relay.volumes" (index .Subcharts "outbox-relay") | nindent 4 }}

A native sidecar container: started before the application's containers, and asked to stop after they have ended.
*/ -}}
{{- define "outbox-relay.sidecar" -}}
{{- if semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version }}
{{- fail (printf "mode: sidecar needs Kubernetes 1.29 or later, this is %s" .Capabilities.KubeVersion.Version) }}
{{- end -}}
- name: outbox-relay
  restartPolicy: Always
  {{- include "outbox-relay.container" . | nindent 2 }}
{{- end }}

{{- /* A change of what the pods are given is a new pod. */ -}}
{{- define "outbox-relay.checksums" -}}
{{- if not .Values.existingConfig.name }}
checksum/config: {{ include "outbox-relay.configYaml" . | sha256sum }}
{{- end }}
{{- with .Values.credentials.create }}
checksum/credentials: {{ toJson . | sha256sum }}
{{- end }}
{{- end }}
