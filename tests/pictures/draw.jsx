// Draws a dashboard's JSON with the components that Grafana's own panels are made of.
//
// window.draw({document, prometheus, time, theme, width, kiosk, variables, unfold}) resolves to what
// each panel shows. State timelines have no component outside of Grafana; they are drawn here.
import { createRoot } from 'react-dom/client';
import { flushSync } from 'react-dom';
import { lastValueFrom } from 'rxjs';
import {
  applyFieldOverrides,
  createFieldConfigRegistry,
  createTheme,
  dateTime,
  displayNameOverrideProcessor,
  FieldType,
  getDisplayValueAlignmentFactors,
  getFieldDisplayName,
  getFieldDisplayValues,
  identityOverrideProcessor,
  numberOverrideProcessor,
  rangeUtil,
  renderLegendFormat,
  selectOverrideProcessor,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  stringOverrideProcessor,
  ThemeContext,
  thresholdsOverrideProcessor,
  transformDataFrame,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';
import {
  BarGauge,
  BigValue,
  GlobalStyles,
  PanelChrome,
  Table,
  TimeSeries,
  VizRepeater,
} from '@grafana/ui';
import plotStyle from 'uplot/dist/uPlot.min.css';

document.head.append(Object.assign(document.createElement('style'), { textContent: plotStyle }));

const GRID = 24;
const CELL = 30; // pixels: a unit of the grid's height
const GAP = 8; // pixels between two panels
const MARGIN = 16; // pixels beside the grid
const SCRAPE_INTERVAL = 15; // seconds, as a new Prometheus data source assumes
const DEFAULTS = {
  timeseries: {
    drawStyle: 'line',
    lineInterpolation: 'linear',
    lineWidth: 1,
    fillOpacity: 0,
    gradientMode: 'none',
    barAlignment: 0,
    barWidthFactor: 0.6,
    showPoints: 'auto',
    pointSize: 5,
    spanNulls: false,
    insertNulls: false,
    axisPlacement: 'auto',
    axisColorMode: 'text',
    axisBorderShow: false,
    axisCenteredZero: false,
    axisLabel: '',
    scaleDistribution: { type: 'linear' },
    hideFrom: { legend: false, tooltip: false, viz: false },
    stacking: { mode: 'none', group: 'A' },
    thresholdsStyle: { mode: 'off' },
    lineStyle: { fill: 'solid' },
  },
  table: { align: 'auto', cellOptions: { type: 'auto' }, filterable: false, inspect: false },
};
const CUSTOM = ['width', 'minWidth', 'axisSoftMin', 'axisSoftMax', 'axisWidth', 'fillBelowTo'];

function standardOptions() {
  const option = (id, process, more = {}) => ({
    id,
    path: id,
    name: id,
    editor: () => null,
    override: () => null,
    process,
    shouldApply: () => true,
    settings: {},
    ...more,
  });
  return [
    option('unit', unitOverrideProcessor),
    option('min', numberOverrideProcessor),
    option('max', numberOverrideProcessor),
    option('decimals', numberOverrideProcessor),
    option('displayName', displayNameOverrideProcessor),
    option('noValue', stringOverrideProcessor),
    option('color', identityOverrideProcessor),
    option('links', identityOverrideProcessor),
    option('mappings', valueMappingsOverrideProcessor),
    option('thresholds', thresholdsOverrideProcessor),
  ];
}
standardFieldConfigEditorRegistry.setInit(standardOptions);
const transformations = new Map(Object.values(standardTransformers).map((x) => [x.id, x]));
standardTransformersRegistry.setInit(() =>
  [...transformations.values()].map((transformation) => ({
    id: transformation.id,
    name: transformation.name,
    transformation,
    editor: () => null,
  })),
);

function registryFor(type) {
  return createFieldConfigRegistry(
    {
      useCustomConfig: (builder) => {
        for (const path of [...Object.keys(DEFAULTS[type] ?? {}), ...CUSTOM]) {
          builder.addCustomEditor({
            id: path,
            path,
            name: path,
            defaultValue: DEFAULTS[type]?.[path],
            editor: () => null,
            override: () => null,
            process: identityOverrideProcessor,
            shouldApply: () => true,
          });
        }
      },
    },
    type,
  );
}

// A Prometheus data source as Grafana's: frames of an instant or a range, named by the legend.
async function query(board, panel, target, width) {
  const { prometheus, time, from } = board;
  const range = time - from;
  const least = Math.max(seconds(panel.interval), SCRAPE_INTERVAL);
  const raw = rangeUtil.roundInterval((range / width) * 1000) / 1000;
  const step = Math.max(raw, least, 1);
  const rate = Math.max(step + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL);
  const expression = interpolate(board, target.expr, {
    __rate_interval: `${Math.round(rate)}s`,
    __interval: `${step}s`,
    __range: `${range}s`,
    __range_s: `${range}`,
  });
  const undefined_ = [...expression.matchAll(/\$\{?(\w+)/g)].map((match) => match[1]);
  if (undefined_.length) throw new Error(`undefined variable: ${undefined_.join(', ')}`);
  const end = Math.floor(time / step) * step;
  const offset = seconds(panel.timeShift);
  const parameters = target.instant
    ? { query: expression, time }
    : { query: expression, start: Math.floor(from / step) * step, end, step };
  const path = target.instant ? 'query' : 'query_range';
  const response = await fetch(`${prometheus}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams(parameters),
  });
  const answer = await response.json();
  if (answer.status !== 'success') throw new Error(answer.error);
  const { result } = answer.data;
  if (target.format === 'table') return tableFrames(result, panel, target, offset);
  return result.map(({ metric, value, values }) => {
    const points = values ?? [value];
    const legend = target.legendFormat === '__auto' ? undefined : target.legendFormat;
    const { __name__: _, ...labels } = metric;
    return {
      refId: target.refId,
      fields: [
        {
          name: 'Time',
          type: FieldType.time,
          config: { interval: step * 1000 },
          values: points.map(([at]) => at * 1000),
        },
        {
          name: 'Value',
          type: FieldType.number,
          labels,
          config: legend ? { displayNameFromDS: renderLegendFormat(legend, metric) } : {},
          values: points.map(([, text]) => Number(text)),
        },
      ],
      length: points.length,
    };
  });
}

function tableFrames(result, panel, target) {
  if (!result.length) return [];
  const names = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const many = panel.targets.length > 1;
  const column = (name, type, values) => ({ name, type, config: {}, values });
  return [
    {
      refId: target.refId,
      fields: [
        column('Time', FieldType.time, result.map(({ value }) => value[0] * 1000)),
        ...names.map((name) =>
          column(name, FieldType.string, result.map(({ metric }) => metric[name] ?? '')),
        ),
        column(
          many ? `Value #${target.refId}` : 'Value',
          FieldType.number,
          result.map(({ value }) => Number(value[1])),
        ),
      ],
      length: result.length,
    },
  ];
}

function seconds(text) {
  return text ? rangeUtil.intervalToSeconds(text) : 0;
}

function interpolate(board, text, own = {}) {
  return text.replace(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, (whole, braced, plain) => {
    const name = braced ?? plain;
    return own[name] ?? board.values[name] ?? whole;
  });
}

async function read(board, panel, width) {
  const answers = await Promise.all(
    panel.targets.map((target) => query(board, panel, target, width)),
  );
  const frames = await lastValueFrom(
    transformDataFrame(panel.transformations ?? [], answers.flat(), {
      interpolate: (text) => interpolate(board, text),
    }),
  );
  return applyFieldOverrides({
    data: frames,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registryFor(panel.type),
    replaceVariables: (text) => interpolate(board, text ?? ''),
    theme: board.theme,
    timeZone: 'utc',
  });
}

function displayValues(board, panel, data) {
  return getFieldDisplayValues({
    data,
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => interpolate(board, text ?? ''),
    theme: board.theme,
    timeZone: 'utc',
  });
}

function Numbers({ board, panel, data, width, height }) {
  const { options } = panel;
  return (
    <VizRepeater
      getValues={() => displayValues(board, panel, data)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={(shown) => (
        <BigValue
          theme={board.theme}
          value={shown.value.display}
          count={shown.count}
          width={shown.width}
          height={shown.height}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          alignmentFactors={shown.alignmentFactors}
          text={options.text}
          disableWideLayout={!options.wideLayout}
        />
      )}
      width={width}
      height={height}
      source={data}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options.orientation}
    />
  );
}

function Bars({ board, panel, data, width, height }) {
  const { options } = panel;
  return (
    <VizRepeater
      getValues={() => displayValues(board, panel, data)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={(shown) => (
        <BarGauge
          theme={board.theme}
          value={shown.value.display}
          field={shown.value.field}
          width={shown.width}
          height={shown.height}
          orientation={shown.orientation}
          text={options.text}
          displayMode={options.displayMode}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
          alignmentFactors={shown.alignmentFactors}
          isOverflow={false}
        />
      )}
      width={width}
      height={height}
      source={data}
      itemSpacing={10}
      renderCounter={0}
      orientation={options.orientation}
      minVizWidth={options.minVizWidth}
      minVizHeight={options.minVizHeight}
      maxVizHeight={options.maxVizHeight}
    />
  );
}

function Rows({ panel, data, width, height }) {
  const { options } = panel;
  return (
    <Table
      data={data[0]}
      width={width}
      height={height}
      showTypeIcons={options.showTypeIcons}
      noHeader={!options.showHeader}
      initialSortBy={options.sortBy}
      cellHeight={options.cellHeight}
      resizable
    />
  );
}

function Lines({ board, panel, data, width, height }) {
  return (
    <TimeSeries
      frames={data}
      structureRev={1}
      width={width}
      height={height}
      timeRange={board.timeRange}
      timeZone="utc"
      legend={panel.options.legend}
      options={panel.options}
    />
  );
}

function States({ board, data, width, height }) {
  const label = Math.min(200, width / 4);
  const from = board.from * 1000;
  const scale = (width - label) / (board.time * 1000 - from);
  const strips = data.map((frame) => {
    const [times, values] = frame.fields;
    const step = times.config.interval;
    return (
      <div key={getFieldDisplayName(values, frame, data)} style={{ display: 'flex', height: 26 }}>
        <div style={{ width: label, overflow: 'hidden', whiteSpace: 'nowrap' }}>
          {getFieldDisplayName(values, frame, data)}
        </div>
        <div style={{ position: 'relative', flex: 1 }}>
          {times.values.map((at, index) => (
            <div
              key={at}
              style={{
                position: 'absolute',
                left: (at - from) * scale,
                width: Math.ceil(step * scale),
                height: 20,
                background: values.display(values.values[index]).color,
              }}
            />
          ))}
        </div>
      </div>
    );
  });
  return <div style={{ height, overflowY: 'auto' }}>{strips}</div>;
}

const KINDS = {
  stat: Numbers,
  bargauge: Bars,
  table: Rows,
  timeseries: Lines,
  'state-timeline': States,
};

function Content({ board, panel, shown, width, height }) {
  if (shown.error) return <div className="failed">{shown.error}</div>;
  const Kind = KINDS[panel.type];
  const values = ['stat', 'bargauge'].includes(panel.type);
  if (!values && !shown.data.length) return <div className="empty">No data</div>;
  return <Kind board={board} panel={panel} data={shown.data} width={width} height={height} />;
}

function place({ x, y, w, h }, width) {
  const column = (width - 2 * MARGIN - (GRID - 1) * GAP) / GRID;
  return {
    left: Math.round(MARGIN + x * (column + GAP)),
    top: y * (CELL + GAP),
    width: Math.round(w * column + (w - 1) * GAP),
    height: h * CELL + (h - 1) * GAP,
  };
}

function Board({ board, panels, shown }) {
  const { document, width, theme } = board;
  const bottom = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const chosen = Object.entries(board.values).filter(([name]) => name !== 'datasource');
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      {!board.kiosk && (
        <div className="head" style={{ padding: MARGIN, height: 56 }}>
          <b>{document.title}</b>
          {chosen.map(([name, value]) => (
            <span key={name}> · {name}: {value === '.*' ? 'All' : value}</span>
          ))}
        </div>
      )}
      <div style={{ position: 'relative', height: bottom * (CELL + GAP) + MARGIN, marginTop: board.kiosk ? MARGIN : 0 }}>
        {panels.map((panel) => {
          const box = place(panel.gridPos, width);
          return (
            <div key={panel.id} data-panel={panel.id} style={{ position: 'absolute', ...box }}>
              {panel.type === 'row' ? (
                <h4 style={{ lineHeight: `${box.height}px` }}>{panel.title}</h4>
              ) : (
                <PanelChrome title={panel.title} description={panel.description} {...box}>
                  {(inner, innerHeight) => (
                    <Content board={board} panel={panel} shown={shown[panel.id]} width={inner} height={innerHeight} />
                  )}
                </PanelChrome>
              )}
            </div>
          );
        })}
      </div>
    </ThemeContext.Provider>
  );
}

function scrolls(part, panel) {
  for (let box = part.parentElement; box && box !== panel; box = box.parentElement) {
    const { overflowX, overflowY } = getComputedStyle(box);
    if (['auto', 'scroll'].includes(overflowY) || ['auto', 'scroll'].includes(overflowX)) return true;
  }
  return false;
}

// What a panel shows, as texts and numbers, and what does not fit.
function report(board, panel, shown) {
  const element = document.querySelector(`[data-panel="${panel.id}"]`);
  const said = { id: panel.id, title: panel.title, type: panel.type, error: shown.error ?? '' };
  if (shown.error) return { ...said, values: [], clipped: [] };
  const table = panel.type === 'table';
  const values = [];
  for (const frame of shown.data) {
    for (const field of frame.fields) {
      if (field.type === FieldType.time && !table) continue;
      const last = table ? field.values : field.values.slice(-1);
      for (const [row, value] of last.entries()) {
        if (value === null || value === undefined || value === '') continue;
        values.push({
          name: table ? getFieldDisplayName(field, frame) : getFieldDisplayName(field, frame, shown.data),
          row,
          value,
          text: field.display ? [field.display(value)].map((x) => `${x.prefix ?? ''}${x.text}${x.suffix ?? ''}`)[0] : String(value),
        });
      }
    }
  }
  const box = element.getBoundingClientRect();
  const clipped = [];
  for (const part of element.querySelectorAll('div, span, td, th, h2, h6, a')) {
    const text = [...part.childNodes].filter((x) => x.nodeType === 3).map((x) => x.textContent).join('');
    if (!text.trim() || scrolls(part, element)) continue;
    const area = part.getBoundingClientRect();
    const outside = area.right > box.right + 1 || area.bottom > box.bottom + 1;
    const hidden = part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0 && getComputedStyle(part).overflowX !== 'visible';
    if (outside || hidden) clipped.push(text.trim());
  }
  const wide = table ? [...element.querySelectorAll('*')].some((x) => x.scrollWidth > x.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(x).overflowX)) : false;
  return { ...said, series: shown.data.length, rows: shown.data[0]?.length ?? 0, values, clipped, wide };
}

// The panels with those of folded rows, each below its heading.
function unfolded(panels) {
  let down = 0;
  return panels.flatMap((panel) => {
    const moved = { ...panel, gridPos: { ...panel.gridPos, y: panel.gridPos.y + down } };
    const below = (panel.panels ?? []).map((x) => ({ ...x, gridPos: { ...x.gridPos, y: x.gridPos.y + down } }));
    if (below.length) {
      down += Math.max(...below.map(({ gridPos }) => gridPos.y + gridPos.h)) - moved.gridPos.y - 1;
    }
    return [moved, ...below];
  });
}

let root;
window.draw = async ({ document: board, prometheus, time, theme, width, kiosk, variables, unfold }) => {
  const from = time - seconds(board.time.from.replace('now-', ''));
  const values = Object.fromEntries(
    board.templating.list.map(({ name, allValue }) => [name, variables?.[name] ?? allValue ?? name]),
  );
  const context = {
    document: board, prometheus, time, from, width, kiosk, values,
    theme: createTheme({ colors: { mode: theme } }),
    timeRange: {
      from: dateTime(from * 1000),
      to: dateTime(time * 1000),
      raw: { from: board.time.from, to: board.time.to },
    },
  };
  const panels = unfold ? unfolded(board.panels) : board.panels;
  const shown = {};
  await Promise.all(
    panels.filter(({ type }) => type !== 'row').map(async (panel) => {
      try {
        shown[panel.id] = { data: await read(context, panel, place(panel.gridPos, width).width) };
      } catch (error) {
        shown[panel.id] = { error: String(error.message ?? error) };
      }
    }),
  );
  document.body.style.background = context.theme.colors.background.canvas;
  root?.unmount();
  root = createRoot(document.getElementById('board'));
  flushSync(() => root.render(<Board board={context} panels={panels} shown={shown} />));
  await document.fonts.ready;
  await new Promise((done) => setTimeout(done, 400));
  return {
    height: document.documentElement.scrollHeight,
    panels: panels.filter(({ type }) => type !== 'row').map((panel) => report(context, panel, shown[panel.id])),
  };
};
