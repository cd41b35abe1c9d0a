"""Writes a model for llama.cpp that gives the answers that a test expects: `python small_model.py FILE`.

It is a real model, two layers of a Llama, but its attention and inner layers add nothing. So each token alone decides
the next one, and a saying is a chain of tokens that each occur once. Like any other model's file it has a chat
template. This one ends the prompt with the token that begins a saying: the saying whose name is a word in the last
message. Each character of the user's text is one token.
"""

# pyright: basic, reportMissingImports=false
# ruff: noqa: E501

from __future__ import annotations

import sys
from itertools import pairwise

import gguf
import numpy as np

END = "</s>"
WINDOW_TOKENS = 1 << 17
HEAD = 64
"""Width of an attention head; the model's width is a multiple of it."""
SAYINGS = {
    "hello": ("Hello", " from", " a", " model", " of", " two", " layers", ".", END),
    "ponder": ("<think>", "Somebody", " wants", " a thought", "</think>", "Here", " it", " is", ";", END),
    "look": (
        "<tool_call>",
        '\n{"name": "',
        "read_file",
        '", "arguments": {"',
        'path": "',
        "notes.txt",
        '"}}',
        "\n</tool_call>",
        END,
    ),
    "greet": ("Gr", "<0xC3>", "<0xBC>", "ß", " dich", "!", END),
    "forever": (" and", " so", " on", " and"),
    "found": ("The", " file", " was", " read", ":", END),
    "summary": ("They", " talked", " for", " long", "…", END),
}
TEMPLATE = """
{%- set turns = namespace(user=true) %}
{%- for message in messages %}
{%- if message.role == 'system' and not loop.first %}{{ raise_exception('The system message must come first.') }}{% endif %}
{%- if message.role == 'user' or message.role == 'assistant' and not message.tool_calls %}
{%- if (message.role == 'user') != turns.user %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}
{%- set turns.user = not turns.user %}
{%- endif %}
{%- endfor %}
{%- if tools %}<|system|>{{ messages[0].content if messages[0].role == 'system' else '' }}
# Tools
<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
For each function call return <tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call></s>
{% elif messages[0].role == 'system' %}<|system|>{{ messages[0].content }}</s>
{% endif -%}
{%- for message in messages %}
{%- if message.role == 'user' %}<|user|>{{ message.content }}</s>
{% elif message.role == 'assistant' %}<|assistant|>{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}</s>
{% elif message.role == 'tool' %}<|user|><tool_response>
{{ message.content }}
</tool_response></s>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>
{%- set last = messages[-1] %}
{%- set words = last.content | string %}
{%- if last.role == 'tool' %}<|found|>
{%- elif 'Summarise' in words %}<|summary|>
{%- elif 'forever' in words %}<|forever|>
{%- elif 'ponder' in words %}<|ponder|>
{%- elif 'greet' in words %}<|greet|>
{%- elif 'look' in words %}<|look|>
{%- else %}<|hello|>{% endif %}
{%- endif %}"""


def write(path: str) -> None:
    kinds = gguf.TokenType
    tokens = {"<unk>": kinds.UNKNOWN, "<s>": kinds.CONTROL, END: kinds.CONTROL}
    tokens |= {f"<0x{byte:02X}>": kinds.BYTE for byte in range(256)}
    tokens |= {f"<|{name}|>": kinds.CONTROL for name in ("system", "user", "assistant", *SAYINGS)}
    for saying in SAYINGS.values():
        for piece in map(as_token, saying):
            tokens.setdefault(piece, kinds.USER_DEFINED if "<" in piece else kinds.NORMAL)
    place = {token: at for at, token in enumerate(tokens)}
    count = len(tokens)
    width = -(-count // HEAD) * HEAD

    then = dict.fromkeys(place.values(), place[END])
    for name, saying in SAYINGS.items():
        chain = [place[token] for token in (f"<|{name}|>", *map(as_token, saying))]
        for token, following in pairwise(chain):
            assert then[token] in (place[END], following), f"{name}: a token can't be in two sayings"
            then[token] = following
    then[place["<0x0A>"]] = place["Hello"]  # llama.cpp's own templates end with a line end
    chains = np.zeros((count, width), np.float32)
    chains[list(then.values()), list(then)] = 10

    model = gguf.GGUFWriter(path, "llama")
    model.add_context_length(WINDOW_TOKENS)
    model.add_embedding_length(width)
    model.add_block_count(2)
    model.add_feed_forward_length(32)
    model.add_head_count(width // HEAD)
    model.add_head_count_kv(1)
    model.add_rope_dimension_count(HEAD)
    model.add_layer_norm_rms_eps(1e-5)
    model.add_vocab_size(count)
    model.add_tokenizer_model("llama")
    model.add_token_list(list(tokens))
    model.add_token_scores([0.0] * count)
    model.add_token_types(list(tokens.values()))
    model.add_unk_token_id(place["<unk>"])
    model.add_bos_token_id(place["<s>"])
    model.add_eos_token_id(place[END])
    model.add_add_bos_token(False)
    model.add_add_space_prefix(False)
    model.add_chat_template(TEMPLATE)
    model.add_tensor("token_embd.weight", np.eye(count, width, dtype=np.float32))
    model.add_tensor("output_norm.weight", np.ones(width, np.float32))
    model.add_tensor("output.weight", chains)
    shapes = {
        "attn_q": (width, width),
        "attn_k": (HEAD, width),
        "attn_v": (HEAD, width),
        "attn_output": (width, width),
        "ffn_gate": (32, width),
        "ffn_up": (32, width),
        "ffn_down": (width, 32),
    }
    for layer in range(2):
        for norm in ("attn_norm", "ffn_norm"):
            model.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(width, np.float32))
        for name, shape in shapes.items():
            model.add_tensor(f"blk.{layer}.{name}.weight", np.zeros(shape, np.float32))
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


def as_token(piece: str) -> str:
    """A piece of a saying as it is spelled in the token list."""
    return piece.replace(" ", "▁")


if __name__ == "__main__":
    write(sys.argv[1])
