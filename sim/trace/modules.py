"""Which kind of GeMM a linear layer is, by its name in the model.

qkv   q_proj, k_proj, v_proj, query, key, value, c_attn, query_key_value, qkv_proj, Wqkv, in_proj,
      and latent attention's q_a_proj, q_b_proj, kv_a_proj_with_mqa, kv_b_proj
o     o_proj and out_proj, or `dense` and `c_proj` of an attention
up    gate_proj, up_proj, gate_up_proj, fc1, fc_in, c_fc, w1, w3, dense_h_to_4h, or `dense` of an intermediate
down  down_proj, fc2, fc_out, w2, dense_4h_to_h, or any other `dense` or `c_proj` of a layer
head, router, other
"""

from __future__ import annotations

import re

from sim.workload.gemm import GemmModule

# The first that matches the end of the name decides; the part before the last dot tells `dense` and `c_proj` apart.
PATTERNS: tuple[tuple[str, GemmModule], ...] = (
    (r"(lm_head|embed_out|output_embedding|predictions\.decoder|^head|^decoder|lm_head\.decoder)$", "head"),
    (r"(router|\.gate|gate\.wg|shared_expert_gate)$", "router"),
    (r"(^|\.)(q_proj|k_proj|v_proj|query|key|value|c_attn|q_attn|query_key_value|qkv_proj|qkv|Wqkv|in_proj)$", "qkv"),
    (r"(^|\.)(q_a_proj|q_b_proj|kv_a_proj|kv_a_proj_with_mqa|kv_b_proj)$", "qkv"),
    (r"(^|\.)(o_proj|out_proj)$", "o"),
    (r"att\w*\.(.*\.)?(dense|c_proj|wo|Wo)$", "o"),
    (r"(^|\.)(gate_proj|up_proj|gate_up_proj|fc1|fc_in|c_fc|w1|w3|dense_h_to_4h|wi|wi_0|wi_1|Wi|lin1)$", "up"),
    (r"intermediate\.dense$", "up"),
    (r"(^|\.)(down_proj|fc2|fc_out|w2|dense_4h_to_h|lin2)$", "down"),
    (r"(mlp|ffn|\d\.output)\.(.*\.)?(dense|c_proj|wo|Wo)$", "down"),
)


def module_of(name: str) -> GemmModule:
    """The kind of the linear layer called `name`."""
    for pattern, module in PATTERNS:
        if re.search(pattern, name):
            return module
    return "other"
