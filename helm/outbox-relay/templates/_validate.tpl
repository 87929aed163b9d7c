{{- /* What the schema of the values cannot say. */ -}}
{{- define "outbox-relay.validate" -}}
{{- $own := not .Values.existingConfig.name }}
{{- if and $own (not .Values.config.postgres) }}
{{- fail "config.postgres is missing: where is the database? Such as config.postgres.url: ${DATABASE_URL}" }}
{{- end }}
{{- if and $own (not .Values.config.destinations) }}
{{- fail "config.destinations is missing: where do messages go? Such as config.destinations.kafka: { type: kafka, brokers: 'kafka:9092' }" }}
{{- end }}
{{- if and .Values.credentials.existingSecret .Values.credentials.create }}
{{- fail "credentials.existingSecret and credentials.create exclude each other" }}
{{- end }}
{{- if and .Values.credentials.adminTokenKey (not (include "outbox-relay.credentialsName" .)) }}
{{- fail "credentials.adminTokenKey is a key of the Secret of credentials.existingSecret or credentials.create: name that" }}
{{- end }}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.monitoring.podMonitor.enabled }}
{{- fail "monitoring.serviceMonitor and monitoring.podMonitor would scrape each pod twice: enable one" }}
{{- end }}
{{- if and .Values.sidecar.containers (eq .Values.mode "deployment") }}
{{- fail "sidecar.containers are for mode: sidecar" }}
{{- end }}
{{- $drain := dig "shutdown" "drain" "20s" .Values.config }}
{{- $unknown := and (contains "${" (toString $drain)) (not (kindIs "invalid" .Values.terminationGracePeriodSeconds)) }}
{{- if not $unknown }}
{{- $needed := add (include "outbox-relay.seconds" $drain) 5 | int }}
{{- if lt (include "outbox-relay.gracePeriod" . | int) $needed }}
{{- fail (printf "terminationGracePeriodSeconds must be at least %d: shutdown.drain and 5 s" $needed) }}
{{- end }}
{{- end }}
{{- if .Values.init.enabled }}
{{- if not .Values.init.existingSecret }}
{{- fail "init.existingSecret is missing: a Secret with the URL of a role that may create tables" }}
{{- end }}
{{- if not (include "outbox-relay.relayRole" .) }}
{{- fail "init.relayRole is missing: the role that the relay logs in as, to be granted what it needs" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "outbox-relay.relayRole" -}}
{{- default (dig "postgres" "user" "" .Values.config) .Values.init.relayRole }}
{{- end }}
