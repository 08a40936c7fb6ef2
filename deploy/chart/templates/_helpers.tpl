{{- define "corelo.name" -}}
{{- if contains "corelo" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-corelo" (.Release.Name | trunc 43 | trimSuffix "-") -}}
{{- end -}}
{{- end }}

{{- define "corelo.selector" -}}
app.kubernetes.io/name: corelo
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: service
{{- end }}

{{- define "corelo.agentSelector" -}}
app.kubernetes.io/name: corelo
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end }}

{{- define "corelo.labels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* A repository with a tag in its name would get a second one, and no runtime pulls that. A port comes before a slash. */}}
{{- define "corelo.requireRepository" -}}
{{- if regexMatch "[:@][^/]*$" .repository }}
{{- fail (printf "%s must be a repository without tag or digest, not %s: the tag is image.tag, the digest %sDigest." .name .repository .name) }}
{{- end }}
{{- end }}

{{- define "corelo.serviceImage" -}}
{{- include "corelo.requireRepository" (dict "name" "image.service" "repository" .Values.image.service) -}}
{{- with .Values.image }}{{ required "image.service must name the image that you built and pushed (docker build -t REGISTRY/corelo .); the project publishes none" .service }}{{ if .serviceDigest }}@{{ .serviceDigest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{- define "corelo.agentImage" -}}
{{- include "corelo.requireRepository" (dict "name" "image.agent" "repository" .Values.image.agent) -}}
{{- with .Values.image }}{{ required "image.agent must name the image that you built and pushed (docker build -t REGISTRY/corelo-agent --target agent .); the project publishes none" .agent }}{{ if .agentDigest }}@{{ .agentDigest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{/* Name resolution on whatever address: node-local caches of it are link-local. */}}
{{- define "corelo.dnsEgress" -}}
- ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
{{- end }}
