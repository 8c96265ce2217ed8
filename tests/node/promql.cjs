// Reads a JSON list of expressions from standard input and prints, as JSON, those that the grammar of
// PromQL refuses.
'use strict';

const { parser } = require('@prometheus-io/lezer-promql');

const strict = parser.configure({ strict: true });

function isRefused(expression) {
    try {
        strict.parse(expression);
        return false;
    } catch (error) {
        if (error instanceof SyntaxError) {
            return true;
        }
        throw error;
    }
}

const expressions = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(expressions.filter(isRefused)));
