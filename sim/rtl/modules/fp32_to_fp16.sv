// SPDX-License-Identifier: Apache-2.0
/// binary32 to FP16, to nearest even; subnormals kept, overflow to Inf. The operand is a normal number or 0.
///                                                 Model: FP16(acc) of sim/formats/contract.py
module fp32_to_fp16 (
  input  logic [31:0] fp32_i,
  output logic [15:0] fp16_o
);

  logic [7:0]  exponent;
  logic [7:0]  shift;    // places that a subnormal's significand moves right
  logic [23:0] bits;
  logic [24:0] shifted;  // 11 bits, guard, 13 below
  logic        lost, round_up, subnormal;
  logic [15:0] code;     // exponent field and fraction; a carry moves into the exponent

  assign exponent  = fp32_i[30:23];
  assign bits      = {exponent != '0, fp32_i[22:0]};
  assign subnormal = exponent < 8'd113;
  assign shift     = subnormal ? 8'd113 - exponent : 8'd0;
  assign shifted   = shift > 8'd24 ? '0 : {bits, 1'b0} >> shift;
  assign lost      = shift > 8'd24 ? |bits : |(bits & ~(24'hFFFFFF << shift));
  assign round_up  = shifted[13] && (shifted[14] || |shifted[12:0] || lost);

  // The leading one of a normal number adds 1 to the exponent field.
  assign code      = {subnormal ? 6'd0 : 6'(exponent - 8'd113), 10'b0} + 16'(shifted[24:14]) + 16'(round_up);
  assign fp16_o    = {fp32_i[31], exponent > 8'd142 || code >= 16'h7C00 ? 15'h7C00 : code[14:0]};

endmodule
