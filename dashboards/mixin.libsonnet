// Rules, alerts and dashboards as a monitoring mixin: what the files beside this one hold, for
// jsonnet-bundler, Tanka, kube-prometheus and the like. Needs jsonnet 0.18 or newer (std.parseYaml).
local rules = [
  importstr 'rules/account.rules.yml',
  importstr 'rules/agents.rules.yml',
  importstr 'rules/campaigns.rules.yml',
  importstr 'rules/exporter.rules.yml',
  importstr 'rules/queues.rules.yml',
];
local dashboards = {
  'contactcenter-agents.json': importstr 'agents.json',
  'contactcenter-campaigns.json': importstr 'campaigns.json',
  'contactcenter-exporter.json': importstr 'exporter.json',
  'contactcenter-overview.json': importstr 'overview.json',
  'contactcenter-queues.json': importstr 'queues.json',
  'contactcenter-wallboard.json': importstr 'wallboard.json',
};
local selector = 'job=~".*contactcenter.*"';
local runbook = 'https://contactcenter-exporter.example/runbook';

{
  _config+:: {
    // One more label that tells accounts apart, such as 'env'; empty for none. See label.yml.
    label: '',
    // What selects the exporter's targets where a metric is not its own, such as up.
    selector: selector,
    // Where runbook.md is published; the name of an alert is added as an anchor.
    runbookURL: runbook,
  },

  local config = self._config,
  local replace(text, pair) = std.strReplace(text, pair[0], pair[1]),
  local inside(string) = std.strReplace(string, '"', '\\"'),
  local label = if config.label == '' then [] else [
    [pair[0], std.strReplace(pair[1], 'LABEL', config.label)]
    for pair in std.parseYaml(importstr 'label.yml')
  ],
  // Rules are YAML, where a quote stands for itself; in a dashboard it stands inside JSON.
  local groups = std.flattenArrays([
    std.parseYaml(std.foldl(
      replace, label + [[selector, config.selector], [runbook, config.runbookURL]], text
    )).groups
    for text in rules
  ]),
  local variable(dashboard) =
    local variables = dashboard.templating.list;
    local provider = variables[1];
    provider {
      name: config.label,
      label: config.label,
      query+: { query: 'label_values(contactcenter_up, %s)' % config.label },
    },
  local document(text) =
    local dashboard = std.parseJson(
      std.foldl(
        replace,
        label + [[inside(selector), inside(config.selector)], [runbook, config.runbookURL]],
        text
      )
    );
    if config.label == '' then dashboard else dashboard {
      templating+: {
        local variables = super.list,
        list: [variables[0], variable(dashboard)] + variables[1:],
      },
    },

  grafanaDashboards+:: { [name]: document(dashboards[name]) for name in std.objectFields(dashboards) },
  prometheusAlerts+:: {
    groups+: [group for group in groups if std.objectHas(group.rules[0], 'alert')],
  },
  prometheusRules+:: {
    groups+: [group for group in groups if std.objectHas(group.rules[0], 'record')],
  },
}
