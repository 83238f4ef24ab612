/** The admin API through a client that knows nothing of it but its OpenAPI document. */
import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { OpenAPIClientAxios } from 'openapi-client-axios';

/** @typedef {Record<string, any>} Json */
/** @typedef {{ status: number, data: any }} Answer */

/** The name under which the validator knows the document. */
const DOCUMENT = 'openapi.json';

/** Operations by their name in the document; every answer is held against the document. */
export class ApiClient {
  /** Operations that have been called. @type {Set<string>} */
  called = new Set();

  /**
   * @param {Json} document
   * @param {Record<string, (parameters: Json, body: Json | undefined) => Promise<Answer>>} client
   */
  constructor(document, client) {
    this.document = document;
    this.client = client;
    // The document has keywords that are OpenAPI's alone, and formats that say how wide a number is.
    this.validator = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
    this.validator.addSchema(document, DOCUMENT);
  }

  /** @param {import('./server.mjs').Server} server @param {string} secret */
  static async open(server, secret) {
    const base = `http://${server.http}`;
    const document = /** @type {any} */ (await (await fetch(`${base}/api/v1/openapi.json`)).json());
    const api = new OpenAPIClientAxios({
      definition: structuredClone(document),
      axiosConfigDefaults: {
        baseURL: base,
        headers: { authorization: `Bearer ${secret}` },
        validateStatus: () => true,
      },
    });
    return new ApiClient(document, /** @type {any} */ (await api.init()));
  }

  /** Every operation of the document: name, method and path. */
  get operations() {
    return Object.entries(/** @type {Record<string, Json>} */ (this.document['paths'])).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([method]) => ['get', 'put', 'post', 'delete', 'patch'].includes(method))
        .map(([method, operation]) => ({ path, method, id: String(operation.operationId), operation })),
    );
  }

  /**
   * Calls an operation, whatever comes of it.
   * @param {string} id @param {Json} [parameters] @param {Json} [body]
   * @returns {Promise<Answer>}
   */
  async ask(id, parameters = {}, body) {
    const known = this.operations.find((operation) => operation.id === id);
    assert.ok(known, `the document has no operation ${id}`);
    const run = this.client[id];
    assert.ok(run, `the client has no operation ${id}`);
    const answer = await run(parameters, body);
    this.called.add(id);
    this.#check(known, answer);
    return answer;
  }

  /**
   * Calls an operation that has to succeed.
   * @param {string} id @param {Json} [parameters] @param {Json} [body]
   * @returns {Promise<any>}
   */
  async call(id, parameters, body) {
    const { status, data } = await this.ask(id, parameters, body);
    assert.ok(status >= 200 && status < 300, `${id}: ${status} ${JSON.stringify(data)}`);
    return data;
  }

  /**
   * Calls an operation that has to be refused. Returns status and code.
   * @param {string} id @param {Json} [parameters] @param {Json} [body]
   * @returns {Promise<[number, string]>}
   */
  async refusal(id, parameters, body) {
    const { status, data } = await this.ask(id, parameters, body);
    assert.ok(status >= 400, `${id} was not refused: ${status} ${JSON.stringify(data)}`);
    return [status, data.error.code];
  }

  /** @param {{ path: string, method: string, id: string, operation: Json }} known @param {Answer} answer */
  #check({ path, method, id, operation }, { status, data }) {
    const described = operation['responses'][status];
    assert.ok(described, `${id}: the document has no answer ${status}: ${JSON.stringify(data)}`);
    if (described.content === undefined) {
      assert.equal(data, '', `${id}: ${status} has a body`);
      return;
    }
    /** @param {string} part */
    const escape = (part) => part.replaceAll('~', '~0').replaceAll('/', '~1');
    const place = ['paths', path, method, 'responses', String(status), 'content', 'application/json', 'schema'];
    const schema = `${DOCUMENT}#/${place.map((part) => encodeURIComponent(escape(part))).join('/')}`;
    const valid = this.validator.validate(schema, data);
    assert.ok(valid, `${id}: ${JSON.stringify(data)}: ${this.validator.errorsText()}`);
  }
}
