// SPDX-License-Identifier: Apache-2.0
/// fl(a + b): binary32, to nearest even. Operands and sum are normal numbers or 0; x - x is +0.
///                                                 Model: acc of sim/formats/contract.py
module fp32_add (
  input  logic [31:0] a_i,
  input  logic [31:0] b_i,
  output logic [31:0] sum_o
);

  logic        a_larger, subtract;
  logic [31:0] greater;
  logic [30:0] lesser;  // without its sign
  logic [26:0] greater_bits, lesser_bits, aligned;  // 24 bits, guard, round, sticky
  logic [7:0]  distance;
  logic [50:0] spread;
  logic [27:0] total, justified;
  logic [4:0]  zeros;
  logic        round_up;
  logic [23:0] rounded;  // carry and fraction
  logic [7:0]  exponent;

  assign a_larger = a_i[30:0] >= b_i[30:0];
  assign greater    = a_larger ? a_i : b_i;
  assign lesser    = a_larger ? b_i[30:0] : a_i[30:0];
  assign subtract = a_i[31] ^ b_i[31];

  assign greater_bits = {greater[30:23] != '0, greater[22:0], 3'b0};
  assign lesser_bits = {lesser[30:23] != '0, lesser[22:0], 3'b0};

  // The smaller operand moves right; what falls out below the round bit is remembered in the sticky bit.
  assign distance = greater[30:23] - lesser[30:23];
  assign spread   = {lesser_bits, 24'b0} >> (distance > 8'd26 ? 5'd26 : distance[4:0]);
  assign aligned  = {spread[50:25], |spread[24:0] || (distance > 8'd26 && |lesser_bits)};

  assign total = subtract ? {1'b0, greater_bits} - {1'b0, aligned} : {1'b0, greater_bits} + {1'b0, aligned};

  always_comb begin
    zeros = 5'd0;
    for (int unsigned i = 0; i < 28; i++) begin
      if (total[i]) zeros = 5'(27 - i);
    end
  end

  assign justified = total << zeros;
  assign round_up  = justified[3] && (justified[4] || |justified[2:0]);
  assign rounded   = {1'b0, justified[26:4]} + 24'(round_up);
  assign exponent  = greater[30:23] + 8'd1 - 8'(zeros) + 8'(rounded[23]);

  always_comb begin
    if (justified[27]) sum_o = {greater[31], exponent, rounded[22:0]};
    else               sum_o = {a_i[31] & b_i[31], 31'b0};
  end

endmodule
