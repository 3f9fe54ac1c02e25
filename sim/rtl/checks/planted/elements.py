"""Faults of the PEs and of the arithmetic in them."""

from __future__ import annotations

from sim.rtl.checks.planted.fault import fault

ARITHMETIC = "arithmetic 4,000 operands a case"
MXU = "MXU 2 x 2, groups of 64"
FP_INT, FIGNA, IFPU, ELEVEN = (f"{name} PE 2 x 2, groups of 64" for name in ("FP-INT", "FIGNA", "iFPU", "FIGNA-M11"))

FAULTS = (
    fault(
        "a swap takes weights that come in its own cycle",
        MXU,
        "weight_buffer.sv",
        "      weights_o <= shadow_q;\n",
        "      for (int unsigned s = 0; s < Slices; s++)\n"
        "        weights_o[s*SliceSize+:SliceSize] <= load_i[s] ? weights_i : shadow_q[s*SliceSize+:SliceSize];\n",
    ),
    fault(
        "words of weights go on where the group before left off",
        ELEVEN,
        "weight_column.sv",
        "flags_i.first ? '0 : index_q + 1'b1",
        "index_q + 1'b1",
    ),
    fault(
        "lanes behind the end of a group count",
        ELEVEN,
        "weight_column.sv",
        "(Words * Lanes * WeightBits)'(weights)",
        "{{(Words * Lanes - GroupSize) * WeightBits{1'b1}}, weights}",
        equivalent="activations behind the end of a group are zero as well, so that their products are",
    ),
    fault(
        "subnormal activations of FP-INT stand one place off",
        FP_INT,
        "fp_int_pe.sv",
        "field == '0 ? 5'd0 : field - 5'd1",
        "field == '0 ? 5'd1 : field - 5'd1",
    ),
    fault("FIGNA's sums count twice", FIGNA, "figna_pe.sv", "8'd14 - 8'(MantissaBits)", "8'd13 - 8'(MantissaBits)"),
    fault("iFPU takes the lowest plane twice", IFPU, "ifpu_pe.sv", "<< i;", "<< (i == 0 ? 1 : i);"),
    fault(
        "subnormal scales are half as large",
        ARITHMETIC,
        "fp16_to_scale.sv",
        "8'd112 - 8'(zeros)",
        "8'd111 - 8'(zeros)",
    ),
    fault(
        "the sticky bit of a sum is lost",
        ARITHMETIC,
        "fp32_add.sv",
        "justified[3] && (justified[4] || |justified[2:0])",
        "justified[3] && (justified[4] || |justified[2:1])",
    ),
    fault(
        "ties of sums round up",
        ARITHMETIC,
        "fp32_add.sv",
        "justified[3] && (justified[4] || |justified[2:0])",
        "justified[3]",
    ),
    fault("x - x is -0", ARITHMETIC, "fp32_add.sv", "a_i[31] & b_i[31]", "a_i[31] | b_i[31]"),
    fault(
        "what overflows by rounding becomes the largest number",
        ARITHMETIC,
        "fp32_to_fp16.sv",
        "code >= 16'h7C00 ? 15'h7C00 : code[14:0]",
        "code >= 16'h7C00 ? (code == 16'h7C00 ? 15'h7BFF : 15'h7C00) : code[14:0]",
    ),
    fault(
        "the sticky bit of subnormal outputs is lost",
        ARITHMETIC,
        "fp32_to_fp16.sv",
        "|(bits & ~(24'hFFFFFF << shift))",
        "1'b0",
    ),
    fault("subnormal outputs become zero", ARITHMETIC, "fp32_to_fp16.sv", "shift > 8'd24 ? '0", "shift > 8'd0 ? '0"),
    fault(
        "what rounds to the smallest subnormal becomes zero",
        ARITHMETIC,
        "fp32_to_fp16.sv",
        "shift > 8'd24 ? '0",
        "shift > 8'd10 ? '0",
    ),
    fault(
        "the sticky bit of a term is lost",
        ARITHMETIC,
        "fp32_scale.sv",
        "|justified[9:0]",
        "1'b0",
    ),
)
