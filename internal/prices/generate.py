"""Writes prices.json from the model catalogue that MLflow ships.

    pip install 'mlflow-skinny==3.17.2' && python generate.py > prices.json

The catalogue (mlflow/utils/model_catalog, Apache-2.0) gives USD per million
tokens and the day on which each price was looked up; the latest of those days
is the table's date. A name that ends in "*" stands for the dated versions of a
model. Where a provider of ours is another's resale, "like" takes over the
other's prices for models that it does not list itself.
"""
import decimal, json, pathlib, re, sys

import mlflow.utils.model_catalog as catalog

FOLDER = pathlib.Path(catalog.__file__).parent
FILES = {
    "openai": ["openai", "text-completion-openai"], "azure": ["azure", "azure_text"], "anthropic": ["anthropic"],
    "bedrock": ["bedrock"], "gemini": ["gemini"], "vertex_ai": ["vertex_ai"], "mistral": ["mistral", "codestral"],
    "cohere": ["cohere", "cohere_chat"], "groq": ["groq"], "deepseek": ["deepseek"], "xai": ["xai"],
    "togetherai": ["together_ai"], "databricks": ["databricks"], "openrouter": ["openrouter"], "perplexity": ["perplexity"],
    "fireworks_ai": ["fireworks_ai", "fireworks_ai-embedding-models"], "cerebras": ["cerebras"], "deepinfra": ["deepinfra"],
    "dashscope": ["dashscope"], "moonshot": ["moonshot"], "sambanova": ["sambanova"], "zai": ["zai"], "ai21labs": ["ai21"], "palm": ["palm"],
}
LIKE = {"azure": ["openai"], "vertex_ai": ["gemini", "anthropic"]}
MODES = {"chat", "completion", "embedding", "responses"}
NAMES = {"input": "input_per_million_tokens", "output": "output_per_million_tokens",
         "cached_input": "cache_read_per_million_tokens", "cache_write": "cache_write_per_million_tokens"}
DATED = re.compile(r"^(.*)-20\d\d-?\d\d-?\d\d$")


def rates(p):
    out = {}
    for ours, theirs in NAMES.items():
        if p.get(theirs) is not None:
            # Prices are counted in millionths of a USD per million tokens.
            n = decimal.Decimal(str(p[theirs])).quantize(decimal.Decimal("0.000001"))
            out[ours] = json.loads(format(n.normalize(), "f"), parse_float=float)
    return out


def row(p):
    r = rates(p)
    long = [l for l in p.get("long_context") or [] if "input_per_million_tokens" in l]
    if long:
        first = min(long, key=lambda l: l["threshold_tokens"])
        r["long"] = {"above": first["threshold_tokens"], **rates(first)}
    return r


latest, providers = "", {}
for provider, files in sorted(FILES.items()):
    models = {}
    for name in files:
        for model, v in json.loads((FOLDER / (name + ".json")).read_text())["models"].items():
            p = v.get("pricing") or {}
            if v.get("mode") not in MODES or "input_per_million_tokens" not in p or model.endswith("*") or len(model) > 128:
                continue
            if re.search("audio|realtime|-tts", model):  # their tokens are not all of one price
                continue
            models[model] = row(p)
            latest = max(latest, v.get("last_updated_at") or "")
    for model in list(models):
        dated = DATED.match(model)
        if dated:
            models.setdefault(dated.group(1) + "-20*", models.get(dated.group(1), models[model]))
    providers[provider] = {"source": "mlflow 3.17.2 model catalogue: " + ", ".join(files), "models": dict(sorted(models.items()))}
    if provider in LIKE:
        providers[provider]["like"] = LIKE[provider]

lines = []
for provider, v in providers.items():
    head = {k: x for k, x in v.items() if k != "models"}
    rows = ",\n".join("        %s: %s" % (json.dumps(m), json.dumps(r)) for m, r in v["models"].items())
    lines.append('    %s: {%s, "models": {\n%s\n    }}' % (json.dumps(provider), json.dumps(head)[1:-1], rows))
sys.stdout.write('{\n  "date": "%s",\n  "providers": {\n%s\n  }\n}\n' % (latest, ",\n".join(lines)))
