// SPDX-License-Identifier: Apache-2.0
/// fl(a x s 2^unit): binary32 times a scale and a power of two, to nearest even.
/// The contract keeps the product between 2^-126 and 2^127 or 0, so that neither overflow nor subnormals occur.
///                                                 Model: t_g of sim/formats/contract.py
module fp32_scale (
  input  logic [31:0]       fp32_i,
  input  anda_pkg::scale_t  scale_i,
  input  logic signed [7:0] unit_i,
  output logic [31:0]       fp32_o
);

  logic        zero;
  logic [34:0] product;    // 1.23 x 1.10 bits: 2 or 1 before the point
  logic [33:0] justified;  // without the leading one
  logic        round_up;
  logic [23:0] rounded;  // carry and fraction
  logic [7:0]  exponent;

  assign zero      = fp32_i[30:23] == '0 || scale_i[17:10] == '0;
  assign product   = {1'b1, fp32_i[22:0]} * {1'b1, scale_i[9:0]};
  assign justified = product[34] ? product[33:0] : product[33:0] << 1;
  assign round_up  = justified[10] && (justified[11] || |justified[9:0]);
  assign rounded   = {1'b0, justified[33:11]} + 24'(round_up);
  assign exponent  = fp32_i[30:23] + scale_i[17:10] + unit_i - 8'd127 + 8'(product[34]) + 8'(rounded[23]);
  assign fp32_o    = {fp32_i[31] ^ scale_i[18],
                      zero ? 31'b0 : {exponent, rounded[22:0]}};

endmodule
