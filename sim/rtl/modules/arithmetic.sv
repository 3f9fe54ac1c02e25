// SPDX-License-Identifier: Apache-2.0
/// The four steps of floating-point arithmetic side by side, for their check only; nothing instantiates this.
module arithmetic #(
  parameter int unsigned IntegerBits = 51
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic operands_valid_i,
  output logic operands_ready_o,
  input  logic [IntegerBits-1:0] integer_i,
  input  logic [31:0]            a_i,
  input  logic [31:0]            b_i,
  input  logic [15:0]            scale_i,
  input  logic [15:0]            half_i,
  input  logic signed [7:0]      unit_i,
  output logic results_valid_o,
  output logic [31:0] converted_o,  // fl(integer)
  output logic [31:0] sum_o,        // fl(a + b)
  output logic [31:0] term_o,       // fl(a x scale x 2^unit)
  output logic [31:0] product_o,    // scale x half
  output logic [15:0] rounded_o     // FP16(a)
);

  anda_pkg::scale_t scale;

  assign operands_ready_o = 1'b1;
  assign results_valid_o  = operands_valid_i;

  int_to_fp32 #(.Width(IntegerBits)) i_convert (.integer_i, .fp32_o(converted_o));
  fp32_add i_add (.a_i, .b_i, .sum_o);
  fp16_to_scale i_widen (.fp16_i(scale_i), .scale_o(scale));
  fp32_scale i_scale (.fp32_i(a_i), .scale_i(scale), .unit_i, .fp32_o(term_o));
  fp16_multiply i_multiply (.a_i(scale_i), .b_i(half_i), .fp32_o(product_o));
  fp32_to_fp16 i_round (.fp32_i(a_i), .fp16_o(rounded_o));

  logic unused_clock;
  assign unused_clock = ^{clk_i, rst_ni};

endmodule
