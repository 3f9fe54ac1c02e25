// SPDX-License-Identifier: Apache-2.0
/// The exact product of two finite FP16 numbers as binary32; subnormals kept.
module fp16_multiply (
  input  logic [15:0] a_i,
  input  logic [15:0] b_i,
  output logic [31:0] fp32_o
);

  anda_pkg::scale_t a, b;
  logic             zero;
  logic [21:0]      product;
  logic [7:0]       exponent;

  fp16_to_scale i_widen_a (.fp16_i(a_i), .scale_o(a));
  fp16_to_scale i_widen_b (.fp16_i(b_i), .scale_o(b));

  assign zero     = a[17:10] == '0 || b[17:10] == '0;
  assign product  = {1'b1, a[9:0]} * {1'b1, b[9:0]};
  assign exponent = a[17:10] + b[17:10] - 8'd127 + 8'(product[21]);
  assign fp32_o   = {
    a[18] ^ b[18], zero ? 31'b0 : {exponent, product[21] ? product[20:0] : {product[19:0], 1'b0}, 2'b0}
  };

endmodule
