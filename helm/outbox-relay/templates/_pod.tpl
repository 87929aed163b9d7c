{{- /* What all pods of the chart have in common. */ -}}
{{- define "outbox-relay.podSpec" -}}
automountServiceAccountToken: false
# A Service named outbox-relay would set variables that look like options.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "outbox-relay.antiAffinity" -}}
{{- if ne .Values.antiAffinity "none" -}}
affinity:
  podAntiAffinity:
    {{- if eq .Values.antiAffinity "hard" }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: {{ .Values.antiAffinityTopologyKey }}
        labelSelector:
          matchLabels:
            {{- include "outbox-relay.selectorLabels" . | nindent 12 }}
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: {{ .Values.antiAffinityTopologyKey }}
          labelSelector:
            matchLabels:
              {{- include "outbox-relay.selectorLabels" . | nindent 14 }}
    {{- end }}
{{- end }}
{{- end }}
